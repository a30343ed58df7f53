for words in '80 -s rr -p' '81 -s rr -p 600 -M 255.255.255.0' '82 -s rr -M 255.255.255.0' '83 -s rr -p 10 -M 255.0.255.0' \
  '84 -s rr -p 10 -M 24' '84 -s rr -p 0' '84 -s rr -p -5' '85 -s rr -p 2678400' '86 -s rr -p 2678401' '86 -s rr -p abc' \
  '87 -s rr --persistent 20 --netmask 255.255.255.255' '0 -s rr -p' '88 -M' '88 -M bogus -p'; do
  ipvs "-A -t 10.0.0.100:$words"
done
ipvs '-A -t 10.0.0.101 -s rr -p 60'
ipvs '-A -t 10.0.0.101 -s rr'
for words in -Ln -L -Sn '-Ln --persistent-conn' '-Ln --stats' '-Ln --rate' '-Ln --thresholds'; do ipvs "$words"; done
for words in '80 -s wrr' '81 -s rr -p 20' '81' '80 -p'; do ipvs "-E -t 10.0.0.100:$words"; done
ipvs -Sn
