"""The shipped models: trained on PTB-XL, measured on its fold 9, described and put into the package."""
