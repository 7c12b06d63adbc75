import assert from "node:assert/strict";
import { createHook } from "node:async_hooks";
import { test } from "node:test";
import fc from "fast-check";
import { acceptedHash, hashPassword, unfitHash, verifyNobody, verifyPassword, weakness } from "./auth.passwords.ts";

const NO = { fits: false, outdated: false };
const GOOD = { fits: true, outdated: false };
const OLD = { fits: true, outdated: true };

/** The reference implementation's test.c (P-H-C/phc-winner-argon2). */
const ARGON2 = {
  small: "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
  lanes: "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
  large: "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
};
/** passlib's documentation of each; sha512: hashcat's example of mode 20200. Each checked with Python's hashlib. */
const PASSLIB = {
  scrypt: "$scrypt$ln=8,r=8,p=1$WKs1xljLudd6z9kbY0wpJQ$yCR4iDZYDKv+iEJj6yHY0lv/epnfB6f/w1EbXrsJOuQ",
  scryptOfToday: "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
  sha256: "$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44",
  sha512:
    "$pbkdf2-sha512$25000$LyWE0HrP2RsjZCxlDGFMKQ$1vC5Ohk2mCS9b6akqsEfgeb4l74SF8XjH.SljXf3dMLHdlY1GK9ojcCKts6/asR4aPqBmk74nCDddU3tvSCJvw",
};
/** Made with Python's hashlib: lanes of scrypt, and Django's way to write PBKDF2. */
const PYTHON = {
  scryptLanes: "$scrypt$ln=10,r=8,p=2$AAECAwQFBgcICQoLDA0ODw$2fs6JV7IbiGgyjyPIxLxLLy5vXNrhQ+FJbFF9Dg9WqE",
  django: "pbkdf2_sha256$260000$furaojsalt123456$hfk5jpjQnNJqDoI7Emmu7fOoBXuxQuaoy/MO0+Nbtms=",
  djangoShort: "pbkdf2_sha256$1000$furaojsalt123456$dFeJu3j23dYf99cDjjOXpFDR6M7aaRfL4HLkp94X1GA=",
};
/** The first four: crypt_blowfish's own tests (Openwall). The others: libxcrypt, by Python's crypt. */
const BCRYPT: [string, string][] = [
  ["U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"],
  ["U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"],
  ["U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"],
  [
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
    "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
  ],
  ["Grüße aus Köln", "$2b$06$abcdefghijklmnopqrstuu8kZoLLZeG28oNQgtohtOmWpymVCkDvq"],
  ["Grüße aus Köln", "$2y$06$abcdefghijklmnopqrstuu8kZoLLZeG28oNQgtohtOmWpymVCkDvq"],
  ["x", "$2b$04$abcdefghijklmnopqrstuzPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e"], // a salt that ends in bits without meaning
];

test("a password fits the hash made of it, which is of today, and another does not", async () => {
  const stored = await hashPassword("four horses on the fen");
  assert.match(stored, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.ok(acceptedHash(stored));
  assert.deepEqual(await verifyPassword("four horses on the fen", stored), GOOD);
  assert.deepEqual(await verifyPassword("four horses on the Fen", stored), NO);
  assert.notEqual(await hashPassword("four horses on the fen"), stored);
});

test("whoever comes from another system logs in with the password from there, and no other", async () => {
  const theirs: [string, string][] = [
    ...[...Object.values(ARGON2), PASSLIB.scrypt, PASSLIB.scryptOfToday, PASSLIB.sha256, PYTHON.scryptLanes].map(
      (stored): [string, string] => ["password", stored],
    ),
    ["hashcat", PASSLIB.sha512],
    ["admin123", PYTHON.django],
    ["admin123", PYTHON.djangoShort],
    ...BCRYPT,
  ];
  for (const [password, stored] of theirs) {
    assert.ok(acceptedHash(stored), stored);
    assert.deepEqual(await verifyPassword(password, stored), OLD, stored);
    assert.deepEqual(await verifyPassword(`!${password}`, stored), NO, stored);
  }
});

test("a hash is imported where guessing it takes some time, and checking it not too much", () => {
  const [salt, tag] = ["c29tZXNhbHRzb21l", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"];
  const argon2 = (m: number, t: number) => `$argon2id$v=19$m=${m},t=${t},p=1$${salt}$${tag}`;
  const scrypt = (ln: number) => `$scrypt$ln=${ln},r=8,p=1$${salt}$${tag}`;
  const bcrypt = (cost: string) => `$2b$${cost}$abcdefghijklmnopqrstuuPacupgvRyXtqiTsCVXMfvrlGcUggjR6`;
  const pbkdf2 = (rounds: number) => `$pbkdf2-sha256$${rounds}$${salt}$${tag.replaceAll("+", ".")}`;
  const django = (rounds: number) => `pbkdf2_sha256$${rounds}$furaojsalt123456$dFeJu3j23dYf99cDjjOXpFDR6M7aaRfL4HLkp94X1GA=`;
  const good = [
    argon2(19_456, 2),
    argon2(65_536, 3),
    scrypt(14),
    scrypt(17),
    bcrypt("08"),
    bcrypt("14"),
    pbkdf2(29_000),
    django(1_000_000),
  ];
  for (const stored of good) assert.equal(unfitHash(stored), undefined, stored);
  const weak = [argon2(256, 2), scrypt(8), bcrypt("04"), bcrypt("06"), pbkdf2(6_400), django(1_000)];
  for (const stored of weak) assert.match(unfitHash(stored) ?? "", /guessed too soon/, stored);
  for (const stored of [argon2(1_000_000, 20), bcrypt("16"), pbkdf2(9_999_999), scrypt(20)])
    assert.match(unfitHash(stored) ?? "", /too long/, stored);
  for (const stored of [
    "",
    "password",
    "5f4dcc3b5aa765d61d8327deb882cf99",
    bcrypt("31"),
    scrypt(40),
    argon2(9_999_999, 1),
    pbkdf2(99_999_999),
  ])
    assert.match(unfitHash(stored) ?? "", /none of/, stored);
});

test("a password fits however the keyboard puts its characters together", async () => {
  const stored = await hashPassword("Straße ﬁx Zu\u0308rich m²");
  assert.deepEqual(await verifyPassword("Straße fix Zürich m2", stored), GOOD);
});

test("another system hashed m² as it was typed: it fits, and is hashed anew", async () => {
  const stored = "$2b$06$abcdefghijklmnopqrstuuPacupgvRyXtqiTsCVXMfvrlGcUggjR6"; // libxcrypt
  assert.deepEqual(await verifyPassword("Quadrat: 12 m²", stored), OLD);
  assert.deepEqual(await verifyPassword("Quadrat: 12 m2", stored), NO);
});

test("an e-mail that nobody has is answered as a wrong password is, after one hashing like any other", async () => {
  let hashings = 0;
  const hook = createHook({ init: (_id, type) => (hashings += type === "ARGON2REQUEST" ? 1 : 0) }).enable();
  assert.deepEqual(await verifyNobody("four horses on the fen"), NO);
  hook.disable();
  assert.equal(hashings, 1);
});

/** Quick ones, with the password of each. */
const known: [string, string][] = [
  ...[ARGON2.small, ARGON2.lanes, PASSLIB.scrypt, PASSLIB.sha256].map((stored): [string, string] => ["password", stored]),
  ["hashcat", PASSLIB.sha512],
  ["admin123", PYTHON.djangoShort],
  ...BCRYPT,
];

test("a stored text that is no hash, or not quite that hash, fits nothing and breaks nothing", async () => {
  const broken = fc.oneof(
    fc.tuple(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })),
    fc
      .tuple(fc.constantFrom(...known), fc.nat(), fc.constantFrom("*", "\n", " ", "é", "\0", "", "$$"))
      .map(([[password, stored], where, odd]): [string, string] => {
        const at = where % stored.length;
        return [password, stored.slice(0, at) + odd + stored.slice(at + 1)];
      }),
  );
  await fc.assert(fc.asyncProperty(broken, async ([password, text]) => assert.deepEqual(await verifyPassword(password, text), NO)));
});

test("the beginning of a hash fits nothing: it would be found by trying", async () => {
  const cut = fc.tuple(fc.constantFrom(...known), fc.integer({ min: 1, max: 60 }));
  await fc.assert(
    fc.asyncProperty(cut, async ([[password, stored], less]) =>
      assert.deepEqual(await verifyPassword(password, stored.slice(0, -less)), NO),
    ),
  );
});

test("a hash that would take the machine for itself, or has another form, is not imported", async () => {
  const tag = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  for (const stored of [
    `$argon2id$v=19$m=1048577,t=2,p=1$c29tZXNhbHQ$${tag}`, // over 1 GiB
    `$argon2id$v=19$m=65536,t=21,p=1$c29tZXNhbHQ$${tag}`,
    `$argon2id$v=19$m=65536,t=2,p=17$c29tZXNhbHQ$${tag}`,
    `$argon2id$v=19$m=15,t=2,p=2$c29tZXNhbHQ$${tag}`, // under 8 KiB for each lane
    `$argon2id$v=19$m=65536,t=2,p=1$c29tZXM$${tag}`, // a salt of 5 bytes
    `$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$${tag}${tag}A`, // a tag of 65 bytes
    `$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$${tag.slice(0, -1)}d`, // not how base64 writes these bytes
    `$argon2id$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$${tag}`,
    `$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$${tag}`,
    "$2b$17$abcdefghijklmnopqrstuu8kZoLLZeG28oNQgtohtOmWpymVCkDvq",
    "$2b$03$abcdefghijklmnopqrstuu8kZoLLZeG28oNQgtohtOmWpymVCkDvq",
    "$2x$06$abcdefghijklmnopqrstuu8kZoLLZeG28oNQgtohtOmWpymVCkDvq",
    PASSLIB.scrypt.replace("ln=8", "ln=21"), // over 1 GiB
    PASSLIB.scrypt.replace("ln=8,r=8,p=1", "ln=20,r=8,p=2"), // twice as long as one of 1 GiB
    PASSLIB.sha256.replace("6400", "10000000"),
    PASSLIB.sha256.replace("sha256", "sha512"),
    PYTHON.django.replace("sha256", "sha1"),
    "5f4dcc3b5aa765d61d8327deb882cf99", // MD5
    "password",
    "",
  ]) {
    assert.ok(!acceptedHash(stored), stored);
    assert.deepEqual(await verifyPassword("password", stored), NO, stored);
  }
});

test("a password of over 1,024 bytes never reaches a hash", async () => {
  const longest = "ü".repeat(512);
  assert.deepEqual(await verifyPassword(longest, await hashPassword(longest)), GOOD);
  await assert.rejects(hashPassword(`${longest}!`), RangeError);
  await assert.rejects(hashPassword("ﷺ".repeat(60)), RangeError, "33 bytes each, once written out");

  let hashings = 0;
  const hook = createHook({ init: (_id, type) => (hashings += type === "ARGON2REQUEST" ? 1 : 0) }).enable();
  assert.deepEqual(await verifyPassword(`${longest}!`, ARGON2.small), NO);
  assert.deepEqual(await verifyNobody(`${longest}!`), NO);
  hook.disable();
  assert.equal(hashings, 0);
});

test("with a crowd at the door two are looked at at once, a hundred wait, and the next is told to come again", async () => {
  let hashings = 0;
  const hook = createHook({ init: (_id, type) => (hashings += type === "ARGON2REQUEST" ? 1 : 0) }).enable();
  const crowd = Array.from({ length: 102 }, (_, i) => verifyPassword(i % 2 ? "password" : "wrong", ARGON2.small));
  hook.disable();
  assert.equal(hashings, 2);
  for (const more of [verifyPassword("password", ARGON2.small), verifyNobody("x"), hashPassword("four horses on the fen")]) {
    await assert.rejects(more, { type: "PASSWORDS_BUSY", code: 503, retryable: true });
  }
  assert.deepEqual(
    await Promise.all(crowd),
    crowd.map((_, i) => (i % 2 ? OLD : NO)),
  );
  assert.deepEqual(await verifyPassword("password", ARGON2.small), OLD);
});

test("a password is good when it is long and not what anybody would try", () => {
  for (const password of [
    "four horses on the fen",
    "correct horse battery staple",
    "Tr0ub4dor&3xkcd",
    "x7Kq-93vB-pLm2",
    "my password is not your business",
    "ключ от старого сарая",
    "Vier Pferde im Moor",
    "我们明天一起去河边钓鱼好吗",
  ]) {
    assert.equal(weakness(password, "anna.schmidt@example.com"), undefined, password);
  }
  for (const password of [
    "aaaaaaaaaaaaaaaa",
    "1234567890ab",
    "qwertyuiop12",
    "qwertzuiop123",
    "1qaz2wsx3edc4rfv",
    "abcdefghijklmnop",
    "987654321987654321",
    "passwordpassword",
    "P@ssw0rd2026!",
    "Passwort1234!",
    "Welcome2026!!",
    "xkzxkzxkzxkzxkz",
    "iloveyou123456",
    "anna.schmidt@example.com",
    "ANNA.SCHMIDT@EXAMPLE.COM",
    "anna.schmidt",
    "anna.schmidt2026",
    "ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ", // full width
  ]) {
    assert.match(weakness(password, "anna.schmidt@example.com") ?? "", /nobody would guess/, password);
  }
  assert.match(weakness("fourhorses!", "a@b.de") ?? "", /at least 12 characters/);
  assert.match(weakness("🐎🐴🦄🐎🐴🦄", "a@b.de") ?? "", /at least 12 characters/, "a character is one, however many units it takes");
  assert.match(weakness("four horses ".repeat(100), "a@b.de") ?? "", /at most 1024 bytes/);
});

test("whatever is typed as a password is answered, and what is not refused can be hashed", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 1200 }), fc.oneof(fc.emailAddress(), fc.string()), (password, email) => {
      if (weakness(password, email) === undefined) assert.ok(Buffer.byteLength(password.normalize("NFKC")) <= 1024);
    }),
  );
});
