"""DeploymentView → text, HTML. No I/O."""
