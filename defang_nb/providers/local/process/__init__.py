"""The engine without containers: services as processes of this machine, under Supervisor."""
