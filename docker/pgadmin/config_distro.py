# The image writes this file where nothing can be written, so it is given here.
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
LOG_FILE = "/dev/null"
HELP_PATH = "../../docs"
DEFAULT_BINARY_PATHS = {"pg": "/usr/local/pgsql-17", "pg-16": "/usr/local/pgsql-16"}
