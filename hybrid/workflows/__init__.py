"""The texts of CI's workflows for a team's repository. Pure: settings in, texts out."""
