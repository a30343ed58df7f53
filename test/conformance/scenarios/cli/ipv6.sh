for words in '-A -t [fd00:a::100]:80 -s rr' '-A -u [fd00:a::100]:53 -s wlc' '-A -t fd00:a::100:83 -s rr' \
  '-a -t [fd00:a::100]:80 -r [fd00:b::1]:80 -m' '-a -t [fd00:a::100]:80 -r [fd00:b::2] -g -w 3' \
  '-a -t [fd00:a::100]:80 -r fd00:b::3 -i' '-a -t [fd00:a::100]:80 -r [fd00:b::4]:81 -g' \
  '-a -u [fd00:a::100]:53 -r [fd00:b:1234:5678:9abc:def0:1234:5678]:54321 -m' -Ln -L -Sn '-Ln -t [fd00:a::100]:80' \
  '-e -t [fd00:a::100]:80 -r [fd00:b::1]:80 -m -w 9' '-d -t [fd00:a::100]:80 -r [fd00:b::1]:80' -Sn \
  '-D -t [fd00:a::100]:80' -Sn; do
  ipvs "$words"
done
