"""Counts Django's request signals."""
from django.core import signals

seen = {"started": 0, "started with environ": 0, "finished": 0}


def count_started(sender, **kwargs):
    seen["started"] += 1
    seen["started with environ"] += "environ" in kwargs


def count_finished(sender, **kwargs):
    seen["finished"] += 1


signals.request_started.connect(count_started)
signals.request_finished.connect(count_finished)
