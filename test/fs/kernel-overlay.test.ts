import { withNativeWall } from '../support/native-wall.js'
import { CC, NATIVE } from '../support/requirements.js'
import { SEED } from '../support/seed.js'
import { suite } from '../support/suite.js'
import { compareWithKernel, randomSequences } from './overlay-comparison.js'

const test = suite('fs/union-fs, beside the kernel’s overlay')
const native = test.needs(NATIVE, CC)

native(
  'random calls have the answers and the tree of the kernel’s overlay',
  async () => {
    try {
      await withNativeWall((wall) => compareWithKernel(wall, randomSequences(60, SEED)))
    } catch (error) {
      throw new Error(`WOLFFIA_SEED=${SEED} fails: ${(error as Error).message}`, { cause: error })
    }
  },
  { timeoutMs: 120_000 },
)

const DEEP = Array.from({ length: 41 }, (_, level) => ['symlink', level === 0 ? 'a' : `s${level - 1}`, `s${level}`])

native('calls that programs rely on have the answers of the kernel’s overlay', () =>
  withNativeWall((wall) =>
    compareWithKernel(wall, [
      // Open after unlink, of a layer's file: read, write, grow, and no name any more.
      [
        ['open', '0', '', 'a/b/f'],
        ['unlink', 'a/b/f'],
        ['fstat', '0'],
        ['pread', '0', '149990', '100'],
        ['pwrite', '0', '200000', '10', '7'],
        ['fstat', '0'],
        ['pread', '0', '149000', '60000'],
        ['stat', 'a/b/f'],
        ['open', '1', 'cx', 'a/b/f'],
        ['fstat', '1'],
      ],
      // Rename over: what is replaced lives on where it is open; a name over another of the same file does nothing.
      [
        ['open', '0', '', 'f'],
        ['rename', 'c/f', 'f'],
        ['fstat', '0'],
        ['pread', '0', '0', '10'],
        ['stat', 'f'],
        ['open', '1', 'c', 'own'],
        ['link', 'own', 'g'],
        ['rename', 'own', 'g'],
        ['stat', 'own'],
        ['stat', 'g'],
        ['rename', 'f', 'a'],
        ['rename', 'a/b/f', 'g'],
        ['stat', 'f'],
      ],
      // Directories: not over files, not below themselves, not over what is full, over what is empty.
      [
        ['mkdir', 'new', '755'],
        ['mkdir', 'new/in', '700'],
        ['rename', 'new', 'f'],
        ['rename', 'f', 'new'],
        ['rename', 'new', 'new/in/x'],
        ['rename', 'new/in', 'new'],
        ['rename', 'new', 'a'],
        ['mkdir', 'empty', '711'],
        ['rename', 'new', 'empty'],
        ['stat', 'empty/in'],
        ['rmdir', 'empty'],
        ['rmdir', 'empty/in'],
        ['rmdir', 'empty'],
        ['rmdir', 'c'],
        ['unlink', 'c/f'],
        ['rmdir', 'c'],
        ['rmdir', 'd'],
        ['mkdir', 'd', '755'],
        ['rmdir', 'f'],
        ['unlink', 'a'],
      ],
      // Appending, from two descriptors, through a rename; holes; cutting off and growing again.
      [
        ['open', '0', 'a', 'a/f'],
        ['open', '1', 'a', 'a/f'],
        ['write', '0', '10', '1'],
        ['write', '1', '10', '2'],
        ['rename', 'a/f', 'moved'],
        ['write', '0', '10', '3'],
        ['pread', '1', '490', '100'],
        ['ftruncate', '0', '100'],
        ['write', '1', '5', '4'],
        ['ftruncate', '0', '70000'],
        ['pread', '0', '90', '70000'],
        ['pwrite', '0', '0', '3', '5'],
        ['fstat', '1'],
      ],
      // Link counts, of a layer's file and a new one; links to symlinks; of directories none.
      [
        ['link', 'a/f', 'one'],
        ['link', 'one', 'two'],
        ['stat', 'a/f'],
        ['unlink', 'a/f'],
        ['stat', 'two'],
        ['link', 's', 'other-s'],
        ['lstat', 's'],
        ['link', 'a', 'never'],
        ['link', 'two', 'one'],
      ],
      // A layer's file counts the names that other layers hide as well, until it is copied up, when the kernel's loses the others.
      [
        ['stat', 'h'],
        ['stat', 'c/f'],
      ],
      // Loops and forty symlinks; names and paths that are too long; symlinks that hang.
      [
        ...DEEP,
        ['stat', 's39'],
        ['stat', 's40'],
        ['stat', 'l'],
        ['open', '0', 'c', 'l'],
        ['open', '0', 'n', 's'],
        ['open', '0', 'dn', 's'],
        ['open', '0', 'd', 's'],
        ['open', '0', 'd', 'f'],
        ['open', '0', 'cx', 's'],
        ['symlink', 'a/made', 'hangs'],
        ['stat', 'hangs'],
        ['open', '0', 'c', 'hangs'],
        ['stat', 'a/made'],
        ['mkdir', 'hangs/x', '755'],
        ['mkdir', 'n'.repeat(256), '755'],
        ['mkdir', 'n'.repeat(255), '755'],
        ['stat', 'n/'.repeat(2048)],
        ['symlink', 'n'.repeat(4095), 'longest'],
        ['symlink', 'n'.repeat(4096), 'longer'],
        ['symlink', '', 'nothing'],
      ],
      // Times stay what they were set to until something changes.
      [
        ['utimens', 'a/f', '1', '999999999123456789'],
        ['stat', 'a/f'],
        ['chmod', 'a/f', '600'],
        ['stat', 'a/f'],
        ['rename', 'a/f', 'a/g'],
        ['stat', 'a/g'],
        ['utimens', 'a', '5', '6'],
        ['stat', 'a'],
        ['unlink', 'a/g'],
        ['stat', 'a'],
        ['utimens', 's', '7', '8'],
        ['lstat', 's'],
        ['truncate', 'c/f', '2'],
        ['stat', 'c/f'],
      ],
    ]),
  ),
)

test.run()
