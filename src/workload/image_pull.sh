# Unpacks /data of the image $image into $folder, in skopeo's image. $mount is the volume that $folder is on; $credentials may hold
# registry credentials, one file a secret; $needs names a file that an adapter must have.
set -fu
log=${KAITO_TERMINATION_LOG:-/dev/termination-log}

# fail KIND REASON CODE MESSAGE: says why, in the log and to the controller, and ends.
fail() {
	message=$(printf '%s' "$4" | tr -d '"\\' | tr -c '\040-\176' ' ' | cut -c1-900)
	echo "$container: $message" >&2
	{ printf '{"kind":"%s","reason":"%s","exitCode":%d,"message":"%s"}' "$1" "$2" "$3" "$message" >"$log"; } 2>/dev/null
	exit "$3"
}
# copy [AUTHFILE]: the image into $work/image, as a folder of layers. What skopeo says is in $said.
copy() {
	said=$(skopeo copy ${1:+--authfile "$1"} "docker://$image" "dir:$work/image" 2>&1) && return
	rm -rf "$work/image"
	return 1
}
# With each secret in turn, then without credentials.
copy_with_any() {
	set +f
	for auth in "$credentials"/*.json; do
		if [ -f "$auth" ] && copy "$auth"; then return; fi
	done
	set -f
	copy
}

work=$mount/.$container
rm -rf "$work"
mkdir -p "$work/root" "$folder" || fail io FileSystemError 12 "cannot write to $mount"
trap 'rm -rf "$work"' EXIT
if ! copy_with_any; then
	why=$(printf '%s\n' "$said" | tail -n 1)
	case $said in
	*unauthorized* | *denied* | *forbidden*) fail denied AccessDenied 11 "no access to image $image, name a pull secret that has it: $why" ;;
	*'manifest unknown'* | *'not found'*) fail not_found NotFound 8 "image $image does not exist: $why" ;;
	*) fail network NetworkError 15 "cannot pull image $image: $why" ;;
	esac
fi
# The layers in order: the digests behind "layers" in the manifest.
layers=$(tr -d '\n' <"$work/image/manifest.json" | sed 's/.*"layers"[^[]*\[//' | grep -o 'sha256:[0-9a-f]\{64\}')
for layer in $layers; do
	file=$work/image/${layer#sha256:}
	[ -f "$file" ] || continue
	said=$(tar -xof "$file" -C "$work/root" 2>&1) || fail protocol ProtocolError 17 "cannot unpack layer $layer of image $image: $said"
	rm -f "$file"
done
if [ ! -e "$work/root/data/$needs" ]; then
	[ -n "$needs" ] && fail model InvalidModel 6 "image $image has no /data/$needs: it is no adapter"
	fail data InvalidDataset 5 "image $image has no folder /data"
fi
said=$(cp -R "$work/root/data/." "$folder/" 2>&1) || fail no_space DiskFull 13 "cannot copy image $image to $folder: $said"
echo "$container: /data of $image is in $folder"
