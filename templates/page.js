'use strict';
const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
function age(seconds) {
  if (seconds < -60) { return 'from a clock that is ahead of this one'; }
  const whole = Math.max(0, Math.floor(seconds));
  const at = Math.max(0, units.findIndex(([size]) => whole >= size));
  const [size, name] = whole ? units[at] : units[3];
  const count = Math.floor(whole / size);
  const next = units[at + 1];
  const rest = next ? Math.floor((whole - count * size) / next[0]) : 0;
  return count + ' ' + name + (rest && at < 2 ? ' ' + rest + ' ' + next[1] : '') + ' old';
}
function ages() {
  for (const time of document.querySelectorAll('time')) {
    time.textContent = age((Date.now() - Date.parse(time.dateTime)) / 1000);
  }
}
function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}
async function copy(button) {
  const line = document.getElementById(button.dataset.line);
  let done = false;
  try {
    await navigator.clipboard.writeText(line.textContent);
    done = true;
  } catch (error) {
    select(line);
    done = document.execCommand('copy');
  }
  button.textContent = done ? 'Copied' : 'Marked: copy it by hand';
  setTimeout(() => { button.textContent = 'Copy'; }, 2000);
}
for (const button of document.querySelectorAll('button')) {
  button.addEventListener('click', () => copy(button));
}
ages();
setInterval(ages, 20000);
