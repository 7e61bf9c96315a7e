"""Answers with files through `wsgi.file_wrapper`."""
import io
import os


def application(environ, start_response):
    wrap = environ["wsgi.file_wrapper"]
    folder = environ["TEST_FOLDER"]
    way = environ["PATH_INFO"].strip("/")
    path = os.path.join(folder, "content.bin")
    headers = [("Content-Type", "application/octet-stream")]
    if way == "memory":
        start_response("200 OK", headers)
        return wrap(io.BytesIO(b"from memory " * 1000), 100)
    file = open(path, "rb")
    if way == "offset":
        file.seek(1000)
    if way == "length":
        headers.append(("Content-Length", "10"))
    if way == "iterated":
        start_response("200 OK", headers)
        return (chunk for chunk in wrap(file, 7))
    close = file.close

    class Noted:
        """A file-like object the server may only use through its methods."""

        def __init__(self):
            self.read = file.read

        def close(self):
            close()
            with open(os.path.join(folder, "file-closed"), "ab") as note:
                note.write(b"x")

    start_response("200 OK", headers)
    return wrap(Noted() if way == "noted" else file)
