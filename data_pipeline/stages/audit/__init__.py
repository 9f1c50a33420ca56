"""The stage `audit` and its parts: checks, questions to a model, evidence and its weights, rewriting, coverage."""

from .stage import Audit as Audit
