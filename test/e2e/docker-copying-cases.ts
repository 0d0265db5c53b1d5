/** What docker's users type to get files out of containers and into them: a part of docker-cases.ts, which explains the form. */
import type { DockerCase } from './docker-cases.js'

/** A container that has never run, which has /d with two files, /link to it and /file. */
const TREE = `$docker run --name one box sh -c 'mkdir /d /d/in; echo a >/d/a; echo b >/d/in/b; busybox ln -s d /link; busybox ln -s /nowhere /gone; echo f >/file' >/dev/null
  list() { (cd $1 && find . | sort); }
  there() { $docker cp one:$1 - | tar t | sort; }
`

const HOST = `mkdir -p d/in empty; echo a >d/a; echo b >d/in/b; ln -s d link; echo f >file
`

const out = (title: string, lines: string, others: Omit<DockerCase, 'title' | 'lines'> = {}): DockerCase => ({
  title: `cp out: ${title}`,
  lines: TREE + lines,
  ...others,
})

const into = (title: string, lines: string, others: Omit<DockerCase, 'title' | 'lines'> = {}): DockerCase => ({
  title: `cp in: ${title}`,
  lines: TREE + HOST + lines,
  ...others,
})

/** `cp` out of a container, `save`. */
export const COPYING_OUT: readonly DockerCase[] = [
  // The table of docker's manual, one way.
  out('a file to a name that is free', '$docker cp one:/file new; cat new', { stdout: 'f\n' }),
  out('a file to a name that is a directory only', '$docker cp one:/file new/', { code: 1, stderr: /no such directory/ }),
  out('a file over a file', 'echo old >old; $docker cp one:/file old; cat old', { stdout: 'f\n' }),
  out('a file into a directory', 'mkdir to; $docker cp one:/file to; list to', { stdout: '.\n./file\n' }),
  out('a file into a directory with a slash', 'mkdir to; $docker cp one:/file to/; list to', { stdout: '.\n./file\n' }),
  out('a directory to a name that is free', '$docker cp one:/d new; list new', { stdout: '.\n./a\n./in\n./in/b\n' }),
  out('a directory to a name with a slash', '$docker cp one:/d new/; list new', { stdout: '.\n./a\n./in\n./in/b\n' }),
  out('a directory over a file', 'echo old >old; $docker cp one:/d old', { code: 1, stderr: /cannot copy directory/ }),
  out('a directory into a directory', 'mkdir to; $docker cp one:/d to; list to', { stdout: '.\n./d\n./d/a\n./d/in\n./d/in/b\n' }),
  out('what is in a directory into a directory', 'mkdir to; $docker cp one:/d/. to; list to', { stdout: '.\n./a\n./in\n./in/b\n' }),
  out('what is in a directory to a name that is free', '$docker cp one:/d/. new; list new', { stdout: '.\n./a\n./in\n./in/b\n' }),
  out('a directory into one where a file has its name', 'mkdir to; echo >to/d; $docker cp one:/d to', {
    code: 1,
    stderr: /cannot overwrite non-directory .*\/to\/d" with directory|cannot overwrite non-directory .*\/d with directory/,
    docker: { code: 1, stderr: /cannot overwrite non-directory ".*\/to\/d" with directory/, because: 'docker quotes the path' },
  }),
  out('a file into one where a directory has its name', 'mkdir -p to/file; $docker cp one:/file to', {
    code: 1,
    stderr: /cannot overwrite directory .*\/file with non-directory/,
    docker: { code: 1, stderr: /cannot overwrite directory ".*\/to\/file" with non-directory/, because: 'docker quotes the path' },
  }),
  out('a path that is not absolute begins at the root', '$docker cp one:d/in/b new; cat new', { stdout: 'b\n' }),
  out('a symlink is a symlink', '$docker cp one:/link new; readlink new', { stdout: 'd\n' }),
  out('-L a symlink is what it leads to', '$docker cp -L one:/link new; list new', { stdout: '.\n./a\n./in\n./in/b\n' }),
  out('-L into a directory, under the name of the link', 'mkdir to; $docker cp -L one:/link to; list to', {
    stdout: '.\n./link\n./link/a\n./link/in\n./link/in/b\n',
  }),
  out('what is in a directory that a symlink leads to', 'mkdir to; $docker cp one:/link/. to; list to', {
    stdout: '.\n./a\n./in\n./in/b\n',
  }),
  out('- is a tar', '$docker cp one:/d - | tar t', { stdout: /^d\/\nd\/a\nd\/in\/\nd\/in\/b\n$/ }),
  out('- of a file', '$docker cp one:/file - | tar xO', { stdout: 'f\n' }),
  out('a mode and a time are kept', '$docker cp one:/bin/text new; stat -c %a new', { stdout: '644\n' }),
  out('what is not there', '$docker cp one:/nosuch .', { code: 1, stderr: /could not find the file \/nosuch in container one/i }),
  out('to where nothing is', '$docker cp one:/file nosuch/new', {
    code: 1,
    stderr: /invalid output path: directory ".*nosuch" does not exist/,
  }),
  out('of a container that is not there', '$docker cp nosuch:/file .', { code: 1, stderr: /no such container: nosuch/i }),

  // save
  {
    title: 'save writes what load reads',
    lines: '$docker tag box mine:1; $docker save -o mine.tar mine:1; $docker rmi mine:1 >/dev/null; $docker load -i mine.tar',
    stdout: 'Loaded image: mine:1\n',
  },
  { title: 'save through a pipe', lines: '$docker tag box mine:1; $docker save mine:1 | $docker load', stdout: 'Loaded image: mine:1\n' },
  {
    title: 'save of a name without a tag is all its tags',
    lines: '$docker tag box mine:1; $docker tag box mine:2; $docker save mine | tar xO manifest.json | grep -o "mine:[0-9]" | sort',
    stdout: 'mine:1\nmine:2\n',
  },
  {
    title: 'save holds a manifest and a layout',
    lines: '$docker save box | tar t | grep -v /',
    stdout: /index\.json\nmanifest\.json\noci-layout\n/,
  },
  {
    title: 'save of what is unknown',
    lines: '$docker save nosuch >out.tar',
    code: 1,
    stderr: /no such image|there is no image|reference does not exist/i,
  },
  {
    title: 'save -o to where nothing is',
    lines: '$docker save -o nosuch/out.tar box',
    code: 1,
    stderr: /(invalid output path|failed to save image).*directory "?nosuch"? does not exist/,
  },
  {
    title: 'save says how many arguments it takes',
    lines: '$docker save',
    code: 1,
    stderr: /^['"](docker|wolffia) save['"] requires at least 1 argument/,
  },
]

/** `cp` into a container, `export`, `commit`. */
export const COPYING_IN: readonly DockerCase[] = [
  // The table of docker's manual, the other way.
  into('a file to a name that is free', '$docker cp file one:/new; $docker cp one:/new - | tar xO', { stdout: 'f\n' }),
  into('a file to a name that is a directory only', '$docker cp file one:/new/', { code: 1, stderr: /no such directory/ }),
  into('a file over a file', 'echo new >file; $docker cp file one:/d/a; $docker cp one:/d/a - | tar xO', { stdout: 'new\n' }),
  into('a file into a directory', '$docker cp file one:/d; there /d', { stdout: 'd/\nd/a\nd/file\nd/in/\nd/in/b\n' }),
  into('a directory to a name that is free', '$docker cp d one:/new; there /new', { stdout: 'new/\nnew/a\nnew/in/\nnew/in/b\n' }),
  into('a directory over a file', '$docker cp d one:/file', { code: 1, stderr: /cannot copy directory/ }),
  into('a directory into a directory', '$docker cp empty one:/d/in; there /d/in', { stdout: 'in/\nin/b\nin/empty/\n' }),
  into('a directory over itself', 'echo more >d/more; $docker cp d one:/; there /d', { stdout: 'd/\nd/a\nd/in/\nd/in/b\nd/more\n' }),
  into('what is in a directory into a directory', '$docker cp d/. one:/tmp; there /tmp', { stdout: 'tmp/\ntmp/a\ntmp/in/\ntmp/in/b\n' }),
  into('what is in a directory to a name that is free', '$docker cp d/. one:/new; there /new', {
    stdout: 'new/\nnew/a\nnew/in/\nnew/in/b\n',
  }),
  into('through a symlink in the container', '$docker cp file one:/link; there /d', { stdout: 'd/\nd/a\nd/file\nd/in/\nd/in/b\n' }),
  into('to where a symlink leads to nothing', '$docker cp file one:/gone; $docker cp one:/nowhere - | tar xO', { stdout: 'f\n' }),
  into('a symlink is a symlink', '$docker cp link one:/new; $docker cp one:/new - | tar tv | sed "s/.* new/new/"', {
    stdout: 'new -> d\n',
  }),
  into('-L a symlink is what it leads to', '$docker cp -L link one:/new; there /new', { stdout: 'new/\nnew/a\nnew/in/\nnew/in/b\n' }),
  into('a file over a directory', 'mkdir to; echo >to/in; $docker cp to/in one:/d', {
    code: 1,
    stderr: /cannot overwrite directory "?\/?.*in"? with non-directory/,
  }),
  into('- is a tar', 'tar c d | $docker cp - one:/tmp; there /tmp/d', { stdout: 'd/\nd/a\nd/in/\nd/in/b\n' }),
  into('- is a tar that is compressed', 'tar cz d | $docker cp - one:/tmp; there /tmp/d', { stdout: 'd/\nd/a\nd/in/\nd/in/b\n' }),
  into('- needs a directory', 'tar c d | $docker cp - one:/file', { code: 1, stderr: /destination "one:\/file" must be a directory/ }),
  into('what is not there', '$docker cp nosuch one:/', { code: 1, stderr: /lstat .*nosuch: no such file or directory/ }),
  into('to where nothing is', '$docker cp file one:/nosuch/new', {
    code: 1,
    stderr: /could not find the file \/nosuch in container one/i,
  }),
  into('a file with a colon in its name', 'echo c >a:b; $docker cp ./a:b one:/tmp; there /tmp/a:b', { stdout: 'a:b\n' }),

  // While it runs.
  {
    title: 'cp into a container that runs, and out',
    lines:
      'up one; echo hi >file; $docker cp file one:/tmp; $docker exec one cat /tmp/file; $docker exec one sh -c "echo ho >/tmp/file"; $docker cp one:/tmp/file .; cat file',
    stdout: 'hi\nho\n',
  },
  {
    title: 'cp into a container that is paused',
    lines:
      'up one; $docker pause one >/dev/null; echo hi >file; $docker cp file one:/tmp; $docker cp one:/tmp/file - | tar xO; $docker unpause one >/dev/null',
    stdout: 'hi\n',
  },
  {
    title: 'cp sees a volume, running or not',
    lines: `$docker run -d --init --name one -v data:/v box sleep 60 >/dev/null; echo hi >file; $docker cp file one:/v; $docker exec one cat /v/file
      $docker stop -t 0 one >/dev/null; $docker cp one:/v/file - | tar xO; echo ho >file; $docker cp file one:/v; $docker start one >/dev/null
      $docker exec one cat /v/file; $docker rm -f one >/dev/null; $docker volume rm data`,
    stdout: 'hi\nhi\nho\ndata\n',
  },
  {
    title: 'cp into a root that is read-only',
    lines: '$docker create --name one --read-only box true >/dev/null; echo >file; $docker cp file one:/tmp',
    code: 1,
    stderr: /read-only/,
  },
  {
    title: 'what is copied into a container before its start is there',
    lines: '$docker create --name one box cat /new >/dev/null; echo hi >file; $docker cp file one:/new; $docker start -a one',
    stdout: 'hi\n',
  },
  {
    title: 'cp -a keeps the numbers of owners',
    lines:
      TREE +
      'echo >file; $docker cp -a file one:/new; $docker cp one:/new - | tar tv --numeric-owner | cut -d" " -f2 | sed "s/^$(id -u)\\/$(id -g)$/own/"',
    stdout: /^own\n$/,
    docker: { stdout: /^(0\/0|own)\n$/, because: "docker's -a gives all to the container's user, which its manual does not say" },
  },

  // Words.
  { title: 'cp needs a container', lines: '$docker cp a b', code: 1, stderr: /must specify at least one container source/ },
  { title: 'cp takes one container', lines: '$docker cp a:/b c:/d', code: 1, stderr: /copying between containers is not supported/ },
  { title: 'cp needs a source', lines: '$docker cp "" one:/', code: 1, stderr: /source can not be empty/ },
  { title: 'cp needs a destination', lines: '$docker cp one:/ ""', code: 1, stderr: /destination can not be empty/ },
  {
    title: 'cp says how many arguments it takes',
    lines: '$docker cp one',
    code: 1,
    stderr: /^['"](docker|wolffia) cp['"] requires (exactly )?2 arguments/,
  },

  // export
  {
    title: 'export of a container that runs',
    lines: 'up one; $docker exec one sh -c "echo hi >/new"; $docker export one | tar xO new',
    stdout: 'hi\n',
  },
  {
    title: 'export of one that does not',
    lines: `${TREE}$docker export one >root.tar; tar xOf root.tar d/in/b; tar tf root.tar | grep -c '^bin/busybox$'`,
    stdout: 'b\n1\n',
  },
  { title: 'export -o writes a file', lines: `${TREE}$docker export -o root.tar one; tar xOf root.tar file`, stdout: 'f\n' },
  {
    title: 'export leaves volumes out',
    lines: `$docker run -d --init --name one -v /v box sleep 60 >/dev/null; $docker exec one sh -c 'echo >/v/in'; $docker export one | tar t | grep '^v/'; $docker rm -fv one >/dev/null`,
    stdout: 'v/\n',
  },
  {
    title: 'export -o to where nothing is',
    lines: `${TREE}$docker export -o nosuch/root.tar one`,
    code: 1,
    stderr:
      /(invalid output path|failed to export container).*(directory "?nosuch"? does not exist|stat nosuch: no such file or directory)/,
  },
  {
    title: 'cp into a folder that may not be written',
    lines:
      'up one; mkdir shut; chmod 555 shut; $docker cp one:/etc/passwd shut/file; echo $?; $docker cp one:/etc/passwd shut; echo $?; ls shut; chmod 755 shut',
    stdout: '1\n1\n',
    stderr: /shut\/file.* permission denied/,
  },
  {
    title: 'export -o into a folder that may not be written',
    lines: 'up one; mkdir shut; chmod 555 shut; $docker export -o shut/file one; echo $?; ls shut; chmod 755 shut',
    stdout: '1\n',
    stderr: /(cannot write shut\/file|open .*shut.*): permission denied/,
  },
  { title: 'export of what is unknown', lines: '$docker export nosuch >root.tar', code: 1, stderr: /no such container: nosuch/i },
  {
    title: 'export says how many arguments it takes',
    lines: '$docker export',
    code: 1,
    stderr: /^['"](docker|wolffia) export['"] requires (exactly )?1 argument/,
  },

  // commit
  {
    title: 'commit makes an image of what a container has written',
    lines: `${TREE}$docker commit one new >/dev/null; $docker run --rm new cat /d/in/b; $docker run --rm new ls /file`,
    stdout: 'b\n/file\n',
  },
  { title: 'commit prints the id', lines: `${TREE}$docker commit one`, stdout: 'sha256:ID\n' },
  {
    title: 'commit keeps what the container was made with',
    lines: `$docker create --name one -e A=1 -w /tmp -u 33 -l color=red --entrypoint echo box hi >/dev/null; $docker commit one new >/dev/null
      $docker inspect -f '{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{.Config.WorkingDir}} {{.Config.User}} {{.Config.Labels.color}}' new; $docker run --rm new`,
    stdout: '["echo"] ["hi"] /tmp 33 red\nhi\n',
  },
  {
    title: 'commit -c changes the config, -m and -a say why and who',
    lines: `${TREE}$docker commit -c 'CMD ["echo", "changed"]' --change 'ENV A=2' -m why -a who one new >/dev/null; $docker run --rm new; $docker run --rm new sh -c 'echo $A'`,
    stdout: 'changed\n2\n',
  },
  {
    title: 'commit of a container that runs, which goes on',
    lines:
      'up one; $docker exec one sh -c "echo hi >/new"; $docker commit one new >/dev/null; $docker run --rm new cat /new; $docker exec one cat /new',
    stdout: 'hi\nhi\n',
  },
  {
    title: 'commit leaves what is removed out',
    lines: `$docker run --name one box sh -c 'rm /bin/text; rm -r /tmp; mkdir /tmp' >/dev/null; $docker commit one new >/dev/null
      $docker run --rm new sh -c 'ls /bin/text /tmp 2>/dev/null; echo $?'`,
    stdout: /^(\/tmp:\n)?1\n$/,
  },
  { title: 'commit of what is unknown', lines: '$docker commit nosuch', code: 1, stderr: /no such container: nosuch/i },
  {
    title: 'commit under a name that is none',
    lines: `${TREE}$docker commit one UPPER`,
    code: 1,
    stderr: /repository name .*must be lowercase/,
  },
  {
    title: 'commit with a change that is none',
    lines: `${TREE}$docker commit -c 'FROM box' one`,
    code: 1,
    stderr: /FROM/i,
  },
  {
    title: 'commit says how many arguments it takes',
    lines: '$docker commit',
    code: 1,
    stderr: /^['"](docker|wolffia) commit['"] requires at least 1( and at most 2)? argument/,
  },
]
