"""The workspace's side of a deployment: bootstrap, upload, launch, deploy, watch."""
