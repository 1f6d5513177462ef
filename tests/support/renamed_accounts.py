"""Accounts that models got, which had none in their names."""

ACCOUNTS_OF_2024 = (
    "FacebookAI Salesforce albert almanach distilbert google-bert google-t5 openai-community "
    "transfo-xl xlnet"
).split()
