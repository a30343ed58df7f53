# Every listing of an empty table.
ipvs
for words in -Z -C -L -l '-L -n' -Ln '-L -n --stats' '-L -n --rate' '-L -n --thresholds' '-L -n --persistent-conn' '-L --timeout' \
  '-L -c' '-L -n -c' -S '-S -n' -Sn '--list --numeric' '--save --numeric' '--list --connection' --clear; do
  ipvs "$words"
done
