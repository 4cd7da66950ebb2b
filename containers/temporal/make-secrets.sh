#!/bin/sh
# Makes the secrets of docker-compose.yml and docker-compose.secure.yml: the database's password, a certificate authority
# with certificates for server and clients, and the key of payloads. What exists stays.
#   containers/temporal/make-secrets.sh secrets temporal.lab 192.0.2.7     folder, then further names of the server
set -eu
folder=${1:?folder}
shift
umask 077
mkdir -p "$folder"
cd "$folder"
[ -s postgres_password ] || openssl rand -hex 24 >postgres_password
[ -s payload.key ] || openssl rand -base64 32 >payload.key

[ -s ca.key ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
  -subj '/CN=delta-md certificate authority' -keyout ca.key -out ca.pem 2>/dev/null

names=DNS:temporal,DNS:localhost,IP:127.0.0.1
for name in "$@"; do
  case $name in
    *[!0-9.]*) names=$names,DNS:$name ;;
    *) names=$names,IP:$name ;;
  esac
done

# The server's parts are each other's clients, so its certificate is good for both.
for role in server client; do
  mkdir -p $role
  [ -s $role/$role.key ] || {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=temporal-$role" \
      -keyout $role/$role.key -out $role.csr 2>/dev/null
    usage=clientAuth
    [ $role = client ] || usage="serverAuth,clientAuth
subjectAltName=$names"
    printf 'extendedKeyUsage=%s\n' "$usage" >$role.ext
    openssl x509 -req -days 825 -in $role.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile $role.ext \
      -out $role/$role.pem 2>/dev/null
    rm $role.csr $role.ext
  }
  cp ca.pem $role/
  # Containers read them as users of their own; on this machine the folder above keeps everybody else out.
  chmod 755 $role
  chmod 444 $role/*
done
chmod 444 postgres_password payload.key
