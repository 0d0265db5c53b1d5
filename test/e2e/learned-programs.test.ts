/**
 * Policies learned from real programs: how few calls are left, that each program works again under its own, and that nothing else does.
 * `WOLFFIA_NGINX` names an nginx of the host's distribution, not installed; `.ci/run` unpacks one.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { librariesOf } from '../support/program-files.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { type Requirement, suite } from '../support/suite.js'

const test = suite('e2e/learned-programs')
const wolffia = new CommandLine()
const NGINX_PATH = process.env.WOLFFIA_NGINX ?? '/var/tmp/wolffia-ci-nginx/usr/sbin/nginx'
const PYTHON_PATH = '/usr/bin/python3'

/** What docker's default profile lets through on x86-64 without a capability added (moby 20.10, profiles/seccomp/default.json). */
const DOCKER_CALLS = 291

const file = (name: string, path: string): Requirement => ({
  name,
  missing: async () => (existsSync(path) ? null : `${path} is not there`),
})

/** Parts of Python's library that are large and that no program here has a use for. */
const LEFT_OUT = /\/(__pycache__|test|idlelib|lib2to3|ensurepip|pydoc_data|tkinter|distutils|config-[^/]*|dist-packages|asyncio|unittest)$/

/** Imports an image of busybox, and of a program of the host's with the libraries that it is linked with. */
async function imageOf(name: string, programs: Readonly<Record<string, string>>, more: (root: string) => void = () => {}): Promise<void> {
  const root = join(wolffia.folder, name)
  const place = (from: string, to: string) => {
    mkdirSync(join(root, dirname(to)), { recursive: true })
    copyFileSync(from, join(root, to))
  }
  mkdirSync(join(root, 'tmp'), { recursive: true })
  for (const to of ['/bin/busybox', '/bin/sh']) place('/bin/busybox', to)
  for (const [to, from] of Object.entries(programs)) {
    place(from, to)
    for (const library of librariesOf(from)) place(library, library)
  }
  more(root)
  const tar = `${root}.tar`
  execFileSync('tar', ['-C', root, '--owner=0', '--group=0', '--numeric-owner', '-cf', tar, '.'])
  await wolffia.output('import', tar, name)
}

interface Learned {
  readonly image: string
  /** What is learned, and has to go again. */
  readonly program: readonly string[]
  /** How that ends. */
  readonly output: string
  /** Something that docker's profile and ours let through, and the program has not done. */
  readonly other: readonly string[]
}

async function assertLearned({ image, program, output, other }: Learned): Promise<void> {
  const [profile, flags] = [join(wolffia.folder, `${image}.json`), join(wolffia.folder, `${image}.flags`)]
  const learned = await wolffia.run(['learn', '-o', profile, '--flags', flags, image, ...program])
  assert.is(learned.code, 0, learned.stderr)
  assert.is(learned.stdout, output)
  const [, calls = '', without = ''] = /^wolffia: (\d+) system calls in .*, of (\d+) without it$/m.exec(learned.stderr) ?? []
  console.log(`# FIGURE ${image}: ${calls} system calls; ${without} without it, ${DOCKER_CALLS} of docker's default`)
  assert.ok(Number(calls) > 10 && Number(calls) < DOCKER_CALLS / 2, learned.stderr)
  const policy = readFileSync(flags, 'utf8').trim().split('\n')
  assert.ok(policy.includes('--read-only'), policy.join(' '))
  const again = await wolffia.run(['run', '--rm', ...policy, image, ...program])
  assert.equal([again.code, again.stdout], [0, output], again.stderr)
  // It goes without the policy, and not with it.
  const free = await wolffia.run(['run', '--rm', image, ...other])
  assert.is(free.code, 0, free.stderr)
  const refused = await wolffia.run(['run', '--rm', `--security-opt=seccomp=${profile}`, image, ...other])
  assert.is.not(refused.code, 0)
  assert.match(refused.stderr, /Operation not permitted/)
  // Nor anything of what may be written but for the places it has written to.
  const elsewhere = await wolffia.run(['run', '--rm', ...policy.slice(1), image, 'busybox', 'touch', '/bin/new'])
  assert.match(elsewhere.stderr, /Read-only file system/)
}

const LINK = ['busybox', 'ln', '-s', 'a', '/tmp/b']

test.needs(NATIVE, BUSYBOX)('of busybox sh', async () => {
  await imageOf('learned-sh', {})
  const script = 'for i in 1 2 3; do echo $i; done >/tmp/file; while read n; do s=$((s + n)); done </tmp/file; echo $s | busybox cat'
  await assertLearned({ image: 'learned-sh', program: ['sh', '-c', script], output: '6\n', other: LINK })
})

test.needs(
  NATIVE,
  BUSYBOX,
  file('python3', PYTHON_PATH),
)('of python3, with a thread and files', async () => {
  const version = execFileSync(PYTHON_PATH, ['-c', 'import sys; print("python%d.%d" % sys.version_info[:2])'], { encoding: 'utf8' }).trim()
  await imageOf('learned-python', { '/usr/bin/python3': PYTHON_PATH }, (root) => {
    const library = `/usr/lib/${version}`
    cpSync(library, join(root, library), { recursive: true, dereference: true, filter: (path) => !LEFT_OUT.test(path) })
  })
  const script = `
import os, threading
os.makedirs('/tmp/a')
with open('/tmp/a/file', 'w') as file: file.write('x' * 100000)
def read():
    with open('/tmp/a/file') as file: print(len(file.read()))
thread = threading.Thread(target=read)
thread.start(); thread.join()
print(os.listdir('/tmp'))
`
  await assertLearned({
    image: 'learned-python',
    program: ['python3', '-c', script],
    output: "100000\n['a']\n",
    other: ['python3', '-c', 'import os; os.symlink("a", "/tmp/b")'],
  })
})

const NGINX_CONF = `user root; worker_processes 1; error_log stderr; pid /tmp/nginx.pid; events { worker_connections 16; }
http { access_log off; client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3; uwsgi_temp_path /tmp/4;
scgi_temp_path /tmp/5; server { listen 127.0.0.1:8080; root /www; } }`

test.needs(
  NATIVE,
  BUSYBOX,
  file('nginx', NGINX_PATH),
)('of nginx, that serves a file', async () => {
  await imageOf('learned-nginx', { '/usr/sbin/nginx': NGINX_PATH }, (root) => {
    mkdirSync(join(root, 'www'))
    writeFileSync(join(root, 'www/index.html'), 'served\n')
    writeFileSync(join(root, 'nginx.conf'), NGINX_CONF)
    mkdirSync(join(root, 'etc'))
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\n')
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\n')
  })
  const script = `nginx -e stderr -c /nginx.conf && busybox wget -qO- http://127.0.0.1:8080/index.html
    pid=$(busybox cat /tmp/nginx.pid); kill -QUIT $pid; while [ -e /tmp/nginx.pid ]; do busybox sleep 0.1; done`
  await assertLearned({ image: 'learned-nginx', program: ['sh', '-c', script], output: 'served\n', other: LINK })
})

test('nothing is left', () => wolffia.end())

test.run()
