"""The form at the top of the guest book."""
from django import forms

from guestbook.models import Entry


class EntryForm(forms.ModelForm):
    class Meta:
        model = Entry
        fields = ["name", "text", "attachment"]
        widgets = {"text": forms.Textarea(attrs={"rows": 3})}
