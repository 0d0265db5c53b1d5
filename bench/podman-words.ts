import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Workbench } from './workbench.js'

/** Words in front of podman's command: storage below the run's folder, and nothing that needs systemd. */
export async function podmanWords(workbench: Workbench): Promise<readonly string[]> {
  const folder = (name: string) => join(workbench.directory, 'podman', name)
  for (const name of ['root', 'run', 'tmp']) await mkdir(folder(name), { recursive: true })
  const places = ['--root', folder('root'), '--runroot', folder('run'), '--tmpdir', folder('tmp')]
  return [...places, '--storage-driver', 'overlay', '--cgroup-manager', 'cgroupfs', '--events-backend', 'none', '--runtime', 'crun']
}
