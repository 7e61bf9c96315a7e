"""Two tables with one relation, enough for a page that needs a join."""

from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=100)


class Book(models.Model):
    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    published = models.DateField()
    price = models.DecimalField(max_digits=6, decimal_places=2)
