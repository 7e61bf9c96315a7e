"""The guest book in the admin."""
from django.contrib import admin

from guestbook.models import Entry


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    list_display = ["name", "text", "attachment", "created"]
    list_filter = ["created"]
    search_fields = ["name", "text"]
