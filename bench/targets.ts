/**
 * The targets that exist so far, a row each, and those that come later with the issue that brings them. Figures are ratios against
 * something named wherever they can be: absolute ones drift with the machine.
 */
import type { LaterTarget, Target } from './target.js'
import type { Workload } from './workload.js'
import { appendByte } from './workloads/append-byte.js'
import { conformance } from './workloads/conformance.js'
import { density } from './workloads/density.js'
import { fork } from './workloads/fork.js'
import { idleNative } from './workloads/idle-native.js'
import { idleWasm } from './workloads/idle-wasm.js'
import { imageSize } from './workloads/image-size.js'
import { kill } from './workloads/kill.js'
import { openImage } from './workloads/open-image.js'
import { openedImage } from './workloads/opened-image.js'
import { plugin } from './workloads/plugin.js'
import { pluginMemory } from './workloads/plugin-memory.js'
import { pluginSnapshot } from './workloads/plugin-snapshot.js'
import { prewarmed } from './workloads/prewarmed.js'
import { pullMany, pullOne, pullShared } from './workloads/pull.js'
import { pullMemory } from './workloads/pull-memory.js'
import { pushMany, pushOne, pushShared } from './workloads/push.js'
import { startInNode } from './workloads/start-in-node.js'
import { startToExit } from './workloads/start-to-exit.js'
import { unionLookup } from './workloads/union-lookup.js'
import { unpack, unpackBySize } from './workloads/unpack.js'
import { nBody, sha256 } from './workloads/wasm-cpu.js'
import { largeRead, largeWrite, listing, smallFiles } from './workloads/wasm-files.js'

const ratio = (what: string, workload: Workload, of: string, atMost: number, to: string): Target => ({
  what,
  workload,
  comparison: { kind: 'ratio', of, to },
  atMost,
})
const value = (what: string, workload: Workload, of: string, atMost: number): Target => ({
  what,
  workload,
  comparison: { kind: 'value', of },
  atMost,
})

/** Rows that can be measured. */
export const TARGETS: readonly Target[] = [
  ratio('native start to exit, launcher alone, single id', startToExit, 'launcher', 0.7, 'bubblewrap'),
  ratio('  the same', startToExit, 'launcher', 1 / 7, 'crun'),
  ratio('  the same', startToExit, 'launcher', 1 / 30, 'podman'),
  ratio('  through the holder, a range of ids', startToExit, 'launcher-held', 0.5, 'bubblewrap'),
  ratio('  the same', startToExit, 'launcher-held', 1 / 10, 'crun'),
  ratio('  the same', startToExit, 'launcher-held', 1 / 45, 'podman'),
  {
    what: "the command line's own share",
    workload: startToExit,
    comparison: { kind: 'excess', of: 'command-line', over: ['node', 'launcher-own-map'] },
    atMost: 20,
  },
  ratio('wolffia run --rm in all', startToExit, 'command-line', 1 / 2, 'podman'),
  ratio('native start through the library, single id', startInNode, 'library', 2.5, 'bare-node'),
  ratio('  through the holder, a range of ids', startInNode, 'library-held', 1.6, 'bare-node'),
  ratio('start of a 200 MB image', imageSize, 'large', 1.15, 'small'),
  ratio('start of an image of 100 layers', imageSize, '100-layers', 1.15, 'small'),
  value('1,000 containers of one image, until all run', density, 'one-shot@1000', 5000),
  value('  the same, below a holder', density, 'held@1000', 3000),
  value('preview1 conformance', conformance, 'wolffia', 0),
  value('memory beside the guest of a detached native container', idleNative, 'wolffia', 700 / 1024),
  value('  the same, below a holder', idleNative, 'wolffia', 320 / 1024),
  ratio('  the same', idleNative, 'wolffia', 1, 'bubblewrap'),
  value('idle Wasm container in a process of its own', idleWasm, 'wasm', 25),
  ratio('Wasm files: open, read, stat', smallFiles, 'wasm', 2.5, 'bare'),
  ratio('Wasm files: sequential and scattered reads', largeRead, 'wasm', 1, 'bare'),
  ratio('Wasm files: write of 100 MiB', largeWrite, 'wasm', 1.5, 'bare'),
  ratio('Wasm files: readdir of 10,000', listing, 'wasm', 3, 'bare'),
  ratio('Wasm processor: SHA-256', sha256, 'wasm', 1.25, 'bare'),
  ratio('Wasm processor: n-body', nBody, 'wasm', 1.25, 'bare'),
  ratio('Wasm processor with fuel: SHA-256', sha256, 'wasm with fuel', 1.4, 'bare'),
  ratio('Wasm processor with fuel: n-body', nBody, 'wasm with fuel', 1.4, 'bare'),
  value('a call inside the sandbox of a plugin, in a new instance', plugin, '64 B in a batch of 100', 0.1),
  value('a call of a plugin, there and back, 64 B', plugin, '64 B', 0.2),
  value('  the same, 64 KiB', plugin, '64 KiB', 0.2),
  value('  a call of a batch of 100, in a kept instance', plugin, '64 B, kept, in a batch of 100', 0.03),
  value('one more instance of a plugin in the same process', pluginMemory, 'instance', 1 + 200 / 1024),
  value('a plugin from its snapshot, however long it took', pluginSnapshot, 'snapshot@1000', 5),
  value('Wasm: prewarmed container, first use, until its output is here', prewarmed, 'to output', 5),
  value('kill of a looping guest, native wall', kill, 'native', 10),
  value('kill of a looping guest, Wasm wall', kill, 'wasm', 10),
  ratio('union lookup, 100 layers against 1', unionLookup, 'union@100', 1.1, 'union@1'),
  value('a byte appended to a lower file of 1 GiB', appendByte, 'union@1024', 1),
  ratio("  the same, to the kernel's overlay on 256 MiB", appendByte, 'union@1024', 1, 'overlay@256'),
  value('fork() of a file system of 1,000 files', fork, 'fork@1000', 0.1),
  value('fork() of a file system of 1,000,000 files', fork, 'fork@1000000', 0.1),
  ratio('unpack of a 200 MB image', unpack, 'trees', 1.5, 'tar'),
  ratio('  the same', unpack, 'trees', 0.5, 'umoci'),
  ratio('  the same', unpack, 'trees', 0.5, 'podman'),
  ...unpackBySize.flatMap((workload) => [
    ratio(`unpack of ${workload.summary}`, workload, 'trees', 1.5, 'tar'),
    ratio('  the same', workload, 'trees', 0.5, 'umoci'),
    ratio('  the same', workload, 'trees', 0.5, 'podman'),
  ]),
  ...[pullOne, pullMany, pullShared].flatMap((workload) => [
    ratio(workload.summary, workload, 'wolffia', 1, 'podman'),
    // Which unpacks nothing.
    ratio('  the same', workload, 'wolffia', 3, 'skopeo'),
  ]),
  ...[pushOne, pushMany, pushShared].flatMap((workload) => [
    ratio(workload.summary, workload, 'wolffia', 1, 'podman'),
    ratio('  the same', workload, 'wolffia', 1, 'skopeo'),
  ]),
  ratio('memory of a pull of a layer of 1 GB, to one of 50 MB', pullMemory, 'wolffia@1000', 1.25, 'wolffia@50'),
  value('an image of 100,000 files opened', openImage, 'image@100000', 50),
  value('memory of an opened image, a file of 10,000', openedImage, 'walked@10000', 400),
  ratio('  the same, to memfs', openedImage, 'walked@10000', 1, 'memfs@10000'),
]

/** Rows whose subject is not built yet. */
export const LATER_TARGETS: readonly LaterTarget[] = []
