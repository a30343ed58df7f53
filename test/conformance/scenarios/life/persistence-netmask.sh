# Neighbours of one /28 share a template.
serve "-t $VIP:443 -s rr -p 300 -M 255.255.255.240" -g 1 1 1 1
for last in 1 15 16 17 2 18; do open 1 tcp 10.0.0.$last 2710$((++count)) $VIP 443; done
connections
list
