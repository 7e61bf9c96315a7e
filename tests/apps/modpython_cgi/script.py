"""A CGI script in Python."""
import os
import sys

content = sys.stdin.read()
print("Content-Type: text/plain")
print("Status: 202 Taken")
print("X-From: the script")
print()
print(os.environ["REQUEST_METHOD"], os.environ["QUERY_STRING"], content, os.path.basename(os.getcwd()))
sys.exit(0)
