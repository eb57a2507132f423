# The filter: immure render --to seccomp registry.example/hello@sha256:0000000000000000000000000000000000000000000000000000000000000000 > seccomp.json
# To publish a port: --publish=HOST:8080/tcp
# To fill the config: --mount=type=…,source=…,target=/etc/hello
docker run \
  --user=65532:65532 \
  --cap-drop=ALL \
  --security-opt=no-new-privileges \
  --security-opt=seccomp=seccomp.json \
  --ipc=private \
  --cgroupns=private \
  --network=bridge \
  --sysctl=net.ipv4.ip_unprivileged_port_start=80 \
  --read-only \
  --tmpfs=/tmp:nodev,noexec,nosuid,mode=1777,uid=65532,gid=65532,size=16777216 \
  --tmpfs=/var/lib/hello:nodev,noexec,nosuid,mode=700,uid=65532,gid=65532 \
  --memory=67108864 \
  --memory-swap=67108864 \
  --pids-limit=64 \
  --cpus=0.500 \
  --ulimit=core=0:0 \
  --ulimit=nofile=1024:4096 \
  --workdir=/ \
  --oom-score-adj=0 \
  registry.example/hello@sha256:0000000000000000000000000000000000000000000000000000000000000000
