// Sets the password that the link in this page's address is for. The link stands behind the #, so it is in no request but this one.
const form = document.querySelector("form");
const status = document.querySelector("[role=status]");
const link = location.hash.slice(1);
history.replaceState(null, "", location.pathname); // nor does it stay in the browser's history

const say = (text) => {
  status.textContent = text;
};

if (!link) say("There is no link in this address: open the one that you were given, whole.");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { password, again } = Object.fromEntries(new FormData(form));
  if (password !== again) return say("The two are not the same.");
  say("A moment …");
  try {
    const answer = await fetch("/api/v1/auth/redeem", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ link, password }),
    });
    const { email, detail } = await answer.json();
    if (!answer.ok) return say(detail);
    form.hidden = true;
    say(`It is set. Log in as ${email}: POST /api/v1/auth/login with email and password.`);
  } catch {
    say("It could not be sent; try again.");
  }
});
