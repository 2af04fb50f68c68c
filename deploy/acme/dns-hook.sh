#!/bin/sh
# A DNS hook for servers that take dynamic updates (RFC 2136): nsupdate of bind9-dnsutils.
#
#   dns-hook.sh add    _acme-challenge.example.com VALUE
#   dns-hook.sh remove _acme-challenge.example.com VALUE
#
# It adds and removes one record among others: a name and its wildcard have one each at the same time.
set -eu

server=${DNS_SERVER:-127.0.0.1}
key=${DNS_KEY_FILE:-/etc/sluice/dns.key}
action=$1 name=$2 value=$3

case $action in
  add) update="update add $name. 60 TXT \"$value\"" ;;
  remove) update="update delete $name. TXT \"$value\"" ;;
  *) echo "what is '$action'?" >&2; exit 2 ;;
esac

printf 'server %s\n%s\nsend\n' "$server" "$update" | nsupdate -k "$key"
