# A kernel's HZ decides which are the largest: they are left out.
ipvs '-L --timeout'
for words in '' '1' '1 2' '1 2 3 4' '0 0 0' '-1 2 3' 'a b c' '100000000 1 1' '60 0 0' '0 10 20' '2147483 2 2' '4294967 1 1' \
  '99999999 1 1'; do
  ipvs "--set $words"
  ipvs '-L --timeout'
done
ipvs --set=1 2 3
ipvs '-l --timeout'
