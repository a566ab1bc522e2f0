"""The resource types of the process engine: addresses, images, embedded servers, services."""
