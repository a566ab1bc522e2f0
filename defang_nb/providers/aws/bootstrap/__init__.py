"""What an account and region need once, before anything is deployed there."""
