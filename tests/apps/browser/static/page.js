async function send() {
  const form = new FormData();
  form.append("file", new File(["x".repeat(100000)], "Übergröße-日本.txt", { type: "text/plain" }));
  const answer = await (await fetch("/", { method: "POST", body: form })).json();
  document.getElementById("answer").textContent = `${answer.name} ${answer.bytes} ${answer.scheme}`;
  document.getElementById("protocol").textContent = performance.getEntriesByType("navigation")[0].nextHopProtocol;
  document.getElementById("colour").textContent = getComputedStyle(document.body).color;
}
send();
