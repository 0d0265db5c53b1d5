/** Flags of docker's commands, as `docker COMMAND --help` of 28.2 has them, and those that only 20.10 or buildx has. */
const LISTED = `
run: --add-host --annotation -a --attach --blkio-weight --blkio-weight-device --cap-add --cap-drop --cgroup-parent --cgroupns --cidfile
  --cpu-count --cpu-percent --cpu-period --cpu-quota --cpu-rt-period --cpu-rt-runtime -c --cpu-shares --cpus --cpuset-cpus --cpuset-mems
  -d --detach --detach-keys --device --device-cgroup-rule --device-read-bps --device-read-iops --device-write-bps --device-write-iops
  --disable-content-trust --dns --dns-option --dns-search --domainname --entrypoint -e --env --env-file --expose --gpus --group-add
  --health-cmd --health-interval --health-retries --health-start-interval --health-start-period --health-timeout --help -h --hostname --init
  -i --interactive --io-maxbandwidth --io-maxiops --ip --ip6 --ipc --isolation --kernel-memory -l --label --label-file --link
  --link-local-ip --log-driver --log-opt --mac-address -m --memory --memory-reservation --memory-swap --memory-swappiness --mount --name
  --network --network-alias --no-healthcheck --oom-kill-disable --oom-score-adj --pid --pids-limit --platform --privileged -p --publish
  -P --publish-all --pull -q --quiet --read-only --restart --rm --runtime --security-opt --shm-size --sig-proxy --stop-signal
  --stop-timeout --storage-opt --sysctl --tmpfs -t --tty --ulimit --use-api-socket -u --user --userns --uts -v --volume --volume-driver
  --volumes-from -w --workdir
start: -a --attach --checkpoint --checkpoint-dir --detach-keys -i --interactive
stop: -s --signal -t --time --timeout
kill: -s --signal
restart: -s --signal -t --time --timeout
exec: -d --detach --detach-keys -e --env --env-file -i --interactive --privileged -t --tty -u --user -w --workdir
attach: --detach-keys --no-stdin --sig-proxy
logs: --details -f --follow --since -n --tail -t --timestamps --until
update: --blkio-weight --cpu-period --cpu-quota --cpu-rt-period --cpu-rt-runtime -c --cpu-shares --cpus --cpuset-cpus --cpuset-mems
  --kernel-memory -m --memory --memory-reservation --memory-swap --pids-limit --restart
rm: -f --force -l --link -v --volumes
container prune: --filter -f --force
ps: -a --all -f --filter --format -n --last -l --latest --no-trunc -q --quiet -s --size
inspect: -f --format -s --size --type
container inspect: -f --format -s --size
image inspect: -f --format --platform
diff:
pause:
unpause:
port:
rename:
top:
wait:
tag:
cp: -a --archive -L --follow-link -q --quiet
events: -f --filter --format --since --until
export: -o --output
commit: -a --author -c --change -m --message -p --pause
save: -o --output --platform
stats: -a --all --format --no-stream --no-trunc
images: -a --all --digests -f --filter --format --no-trunc -q --quiet --tree
history: --format -H --human --no-trunc --platform -q --quiet
import: -c --change -m --message --platform
load: -i --input --platform -q --quiet
pull: -a --all-tags --disable-content-trust --platform -q --quiet
push: -a --all-tags --disable-content-trust --platform -q --quiet
search: -f --filter --format --limit --no-trunc
manifest inspect: --insecure -v --verbose
login: -p --password --password-stdin -u --username
logout:
rmi: -f --force --no-prune --platform
image prune: -a --all --filter -f --force
build: --add-host --allow --annotation --attest --build-arg --build-context --builder --cache-from --cache-to --call --cgroup-parent --check
  --compress --cpu-period --cpu-quota -c --cpu-shares --cpuset-cpus --cpuset-mems --disable-content-trust -f --file --force-rm
  --iidfile --isolation --label --load -m --memory --memory-swap --metadata-file --network --no-cache --no-cache-filter -o --output
  --platform --progress --provenance --pull --push -q --quiet --rm --sbom --secret --security-opt --shm-size --squash --ssh -t --tag
  --target --ulimit
info: -f --format
version: -f --format
system df: --format -v --verbose
system prune: -a --all --filter -f --force --volumes
volume create: --availability -d --driver --group --label --limit-bytes -o --opt --required-bytes --scope --secret --sharing
  --topology-preferred --topology-required --type
volume inspect: -f --format
volume ls: --cluster -f --filter --format -q --quiet
volume prune: -a --all --filter -f --force
volume rm: -f --force
`

/** Docker's commands: those that stand alone, groups, and those of a swarm. */
export const DOCKER_COMMANDS: readonly string[] = `
attach bake build commit cp create diff events exec export history images import info inspect kill load login logout logs pause port ps
pull push rename restart rm rmi run save search start stats stop tag top trust unpause update version wait
builder buildx checkpoint compose container context image manifest network plugin system volume
config node secret service stack swarm
`
  .trim()
  .split(/\s+/)

/** By command. What `create` has is what `run` has, but for three flags about being there. */
export const DOCKER_FLAGS: ReadonlyMap<string, readonly string[]> = new Map(
  LISTED.trim()
    .split(/\n(?! )/)
    .flatMap((entry): readonly [string, readonly string[]][] => {
      const [command = '', flags = ''] = entry.split(':')
      const list = flags.trim().split(/\s+/).filter(Boolean)
      if (command !== 'run') return [[command, list]]
      return [
        [command, list],
        ['create', list.filter((flag) => !['-d', '--detach', '--detach-keys', '--sig-proxy'].includes(flag))],
      ]
    }),
)
