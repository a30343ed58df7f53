ipvs '-A --sctp-service 10.0.0.100:9899 -s rr'
ipvs '-a --sctp-service 10.0.0.100:9899 -r 10.1.0.1:9899 -m'
for words in -Ln -L -Sn '-Ln --sctp-service 10.0.0.100:9899' '-D --sctp-service 10.0.0.100:9899'; do ipvs "$words"; done
