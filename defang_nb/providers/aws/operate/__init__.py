"""What runs now, what it says and uses, and how it is started anew."""
