"""What ``loaderbench tune`` measures: the settings there are to try, one trial of a setting, and the search."""
