"""Makes the site's SQLite database, at the place its settings name, with 20 books by 5 authors.

Safe to run again: the old file is replaced, so a changed model cannot meet old rows.
"""

import datetime
import os

import django
from django.conf import settings
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchsite.settings")
django.setup()
settings.DATABASES["default"]["NAME"].unlink(missing_ok=True)
call_command("migrate", run_syncdb=True, verbosity=0)

from benchsite.models import Author, Book  # noqa: E402  models exist only after setup()

authors = [Author.objects.create(name=f"Author <{number}>") for number in range(5)]
Book.objects.bulk_create(
    Book(
        title=f"A book & its number {number:02}",
        author=authors[number % len(authors)],
        published=datetime.date(2000 + number, 1 + number % 12, 1 + number),
        price=f"{10 + number}.50",
    )
    for number in range(20)
)
