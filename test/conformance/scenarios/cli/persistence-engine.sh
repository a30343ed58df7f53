for words in '-u 10.0.0.100:5060 -s rr --pe sip -p 60' '-u 10.0.0.100:5061 -s rr --pe sip' '-t 10.0.0.100:5060 -s rr --pe sip -p 60' \
  '-u 10.0.0.100:5062 -s rr --pe bogus -p 60' '-u 10.0.0.100:5063 -s rr -o --pe sip -p 60' '-u 10.0.0.100:5064 --pe'; do
  ipvs "-A $words"
done
for words in -Ln -L -Sn '-E -u 10.0.0.100:5060 -s rr' -Sn; do ipvs "$words"; done
