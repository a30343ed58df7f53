ipvs '-A -t 10.0.0.100:80 -s rr'
ipvs '-A -t [fd00:a::100]:80 -s rr'
for words in '-t 10.0.0.100:80 -r [fd00:b::1]:80' '-t 10.0.0.100:80 -r [fd00:b::1]:80 -m' '-t 10.0.0.100:80 -r [fd00:b::1]:80 -i' \
  '-t [fd00:a::100]:80 -r 10.1.0.1:80 -i' '-t [fd00:a::100]:80 -r 10.1.0.1:80 -m'; do
  ipvs "-a $words"
done
ipvs -Ln
ipvs -Sn
