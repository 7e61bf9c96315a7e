"""Counts how often the middleware is built and how often Django is set up."""
from request_site import signals  # noqa: F401 - connected before the first request, unlike what views import

built = 0


class CountingMiddleware:
    def __init__(self, get_response):
        global built
        built += 1
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)
