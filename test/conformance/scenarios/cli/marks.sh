for words in '-A -f 7 -s rr' '-A -f 7 -6 -s wlc' '-A -f 9 -s rr -o' '-A -f 3' '-A -f 4 -6 -s rr' '-A -f 0' '-A -f -1' '-A -f abc' \
  '-A -f 3:80' '-A -f 4294967295' '-A -f 4294967296' '-A -f 0x10' '-A -6 -f 12' '-a -f 3 -r 10.1.0.1' '-a -f 3 -r 10.1.0.2:80 -m' \
  '-a -f 3 -r 10.1.0.3:80 -g' '-a -f 4 -r [fd00:b::1]:80' '-a -f 4 -6 -r [fd00:b::1]:80 -m' '-a -f 4 -r [fd00:b::1]:0 -6' \
  '-a -f 3 -6 -r 10.1.0.4' -Ln -L -Sn '-Ln -f 3' '-Ln -f 4 -6' '-D -f 4' '-D -f 4 -6' '-D -f 9' '-D -f 9' '-E -f 3 -s rr -p 30' \
  '-d -f 3 -r 10.1.0.3:80' -Sn; do
  ipvs "$words"
done
