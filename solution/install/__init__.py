"""Install the solution in an environment of Dataverse: by import of its file, or piece by piece through the metadata Web API."""
