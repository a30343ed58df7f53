ipvs '-A -t 10.0.0.100:80 -s wrr'
for words in ' -x 100 -y 50' ':82 -x 50 -y 100' ':83 -y 100' ':84 --u-threshold 7 --l-threshold 7' ':85 -x 70000' ':86 -x -1' \
  ':87 -x 0 -y 0' ':88 -x 4294967295' ':89 -x 4294967296' ':90 -x abc' ':91 -x'; do
  ipvs "-a -t 10.0.0.100:80 -m -r 10.1.0.1$words"
done
for words in '-L -n --thresholds' -Sn -Ln '-e -t 10.0.0.100:80 -m -r 10.1.0.1 -x 9' '-e -t 10.0.0.100:80 -m -r 10.1.0.1:84' \
  '-Ln --thresholds'; do
  ipvs "$words"
done
