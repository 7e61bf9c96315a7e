"""Two applications in one module, to be named by `module:callable`."""


def answer(text):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [text]

    return application


application = answer(b"the usual one")
other = answer(b"the other one")
