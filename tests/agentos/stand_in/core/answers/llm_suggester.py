"""Suggestions for answers; an error is printed, and an empty list comes back."""

from ..llm import model as models


class LLMSuggester:
    def __init__(self, provider="openai", model=None, api_key=None, temperature=0.7, max_suggestions=3):
        self.provider, self.model = provider, model or "gpt-4-turbo-preview"

    def suggest_answers(self, question, question_pack, context=None):
        ask = self._suggest_anthropic if self.provider == "anthropic" else self._suggest_openai
        return ask(question.get("question_text", ""))

    def _suggest_openai(self, prompt):
        try:
            found = models.ask(self.model, prompt)
            if not isinstance(found, list):
                return found.get("suggestions", [])
            return found
        except Exception as error:
            print(f"LLM suggestion error: {error}")
            return []

    def _suggest_anthropic(self, prompt):
        return []
