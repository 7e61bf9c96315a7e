"""The other of two projects that share their code and nothing else."""
SECRET_KEY = "test"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "two_projects_urls"
PROJECT = "second"
