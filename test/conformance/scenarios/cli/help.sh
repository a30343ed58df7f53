# What answers without touching the table.
for words in '--help' '-h' '--version' '-v'; do ipvs "$words"; done
