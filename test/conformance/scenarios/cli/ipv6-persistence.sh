for words in '80 -s rr -p -M 64' '81 -s rr -p -M 129' '81 -s rr -p -M 255.255.255.0' '82 -s rr -p 30' '83 -p 5 -M 0' '84 -p 5 -M 1' \
  '85 -p 5 -M 128'; do
  ipvs "-A -t [fd00:a::100]:$words"
done
ipvs '-A -t [fd00:a::100] -s rr -p'
ipvs -Ln
ipvs -Sn
