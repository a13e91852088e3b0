"""More than a thousand texts for the tokenizer: what people type, and what nobody should."""

import random
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

WORDS = """
cat dog ship storm house forest castle dragon astronaut horse portrait painting photo lemon mountain river city night sunset
neon watercolor sketch robot garden bicycle teapot violin library snow desert ocean whale fox owl tulip lighthouse
""".split()
STYLES = [
    "highly detailed",
    "8k",
    "by Rembrandt",
    "35mm film",
    "trending on artstation",
    "f/1.8",
    "octane render",
    "(masterpiece:1.2)",
]

SPECIAL = [
    "",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "a",
    "A",
    ".",
    "…",
    "'",
    "''",
    "`",
    '"',
    "--",
    "----------",
    "!" * 90,
    "0",
    "1234567890",
    "3.14159",
    "cat" * 60,
    "a " * 100,
    "é" * 100,
    "x" * 500,
    "word " * 300,
    "it's",
    "IT'S",
    "they've been",
    "I'm sure we'll see; you're right, he'd know",
    "don't",
    "rock'n'roll",
    "'s",
    "'S 't 're 've 'm 'll 'd",
    "it’s",
    "<|startoftext|>",
    "<|endoftext|>",
    "a <|endoftext|> b",
    "<|StartOfText|>",
    "<|endoftext|><|endoftext|>",
    "<|endoftext",
    "<|pad|>",
    "<b>bold</b> & <i>italic</i>",
    "&lt;p&gt;",
    "&amp;amp;",
    "<script>alert('x')</script>",
    "<!-- comment -->",
    "a&nbsp;b",
    "&#128512;",
    "日本の秋の風景",
    "東京タワー、夜景",
    "一只猫坐在红色的椅子上",
    "고양이 사진",
    "中文 mixed with English 和数字123",
    "こんにちは世界！",
    "ｆｕｌｌｗｉｄｔｈ　ＡＢＣ",
    "漢字かな交じり文",
    "قطة تجلس على كرسي أحمر",
    "חתול יושב על כיסא",
    "العربية with English",
    "\u202eright to left\u202c",
    "שָׁלוֹם",
    "فارسی ‌نیم‌فاصله",
    "😀",
    "😀😀😀",
    "a 🐱 on a 🪑",
    "👨‍👩‍👧‍👦",
    "👍🏽",
    "🇩🇪🇫🇷",
    "☃️",
    "❤️‍🔥",
    "🏳️‍🌈",
    "1️⃣2️⃣",
    "©®™",
    "→←↑↓",
    "½ ¾ ²",
    "№ ℃ Å",
    "\x00",
    "\x01\x02\x03",
    "a\x00b",
    "\x1b[31mred\x1b[0m",
    "\x7f",
    "\x80\x9f",
    "\ufeffbom",
    "zero\u200bwidth",
    "soft\u00adhyphen",
    "a\u00a0b",
    "a\u2003b",
    "line\u2028separator",
    "para\u2029graph",
    "\u3000",
    "\x0b\x0c",
    "\u0085",
    "a\u200db",
    "\ufffd",
    "\ufffe",
    "\U0010ffff",
    "\U000e0041",
    "café",
    "cafe\u0301",
    "naïve façade",
    "Ångström",
    "A\u030angstro\u0308m",
    "ÀÉÎÕÜ",
    "İstanbul",
    "ISTANBUL",
    "ıI",
    "ß",
    "STRASSE",
    "ẞ",
    "Σίσυφος",
    "ΟΔΟΣ ΟΔΟΣ.",
    "ΑΣ",
    "ǅ",
    "ﬁ ligature",
    "Ⅻ",
    "ⅷ",
    "Привет, МИР",
    "Ђорђе",
    "Καλημέρα",
    "नमस्ते दुनिया",
    "हिन्दी",
    "สวัสดีชาวโลก",
    "Xin chào thế giới",
    "ᏣᎳᎩ",
    "Ꭰ",
    "አማርኛ",
    "မြန်မာ",
    "ქართული",
    "ᲥᲐᲠᲗᲣᲚᲘ",
    "Հայերեն",
    "ខ្មែរ",
    "𝓯𝓪𝓷𝓬𝔂",
    "𝟙𝟚𝟛",
    "𐐀𐐨",
    "http://example.org/a?b=c&d=e#f",
    "user@example.org",
    "C:\\path\\file",
    "/usr/bin/env",
    "#hashtag @mention",
    "a_b-c+d=e",
    "50% off $9.99",
    "1,000,000",
    "12:34:56",
    '--prompt "x" --seed 1',
    "CamelCaseWord",
    "MiXeD cAsE",
    "ALL CAPS PROMPT",
    "snake_case",
    "kebab-case",
    "a1b2c3",
    "4k8k",
    "1024x1024",
    "e=mc²",
    "x^2+y^2",
    "{json: [1, 2]}",
    "(((nested)))",
    "[a|b|c]",
    "::2 cat ::1 dog",
    "trailing space ",
    " leading space",
    "double  space",
    "tab\tseparated",
    "new\nline",
    "many\n\n\nlines",
    " \t mixed \n white \r space ",
]


def texts() -> list[str]:
    """The special texts, then seeded prompts in many spellings; all different."""
    chance = random.Random(7)
    found = dict.fromkeys(SPECIAL)
    while len(found) < 1100:
        words = chance.choices(WORDS, k=chance.randint(1, 12))
        text = chance.choice(["", "a ", "An ", "the ", "2 "]) + chance.choice([" ", ", ", "-", "/", "  "]).join(words)
        style, several = chance.choice(STYLES), ", ".join(chance.sample(STYLES, 3))
        text += chance.choice(["", "", ".", "!", "?!", f", {style}", f", {several}"])
        if chance.random() < 0.15:
            mixed = "".join(chance.choice([letter, letter.upper()]) for letter in text)
            text = chance.choice([text.upper(), text.title(), text.swapcase(), mixed])
        if chance.random() < 0.25:  # something special in the middle
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice(SPECIAL)[:40] + text[at:]
        if chance.random() < 0.15:  # anything in Unicode
            # Which of the newest characters are letters differs between Unicode's versions: none of those.
            some = [chr(point) for point in (chance.randrange(0x20, 0x30000) for _ in range(6)) if not 0xD800 <= point < 0xE000]
            text += "".join(character for character in some if unicodedata.category(character) != "Cn")
        found[text] = None
    return list(found)


def expected_ids(tokenizer: "CLIPTokenizer", texts: list[str]) -> list[dict]:
    """Token ids of every text as the pipelines ask for them: cut to 77, not padded; and how many there were before the cut."""
    entries = []
    for text in texts:
        ids = tokenizer(text, truncation=True, max_length=77).input_ids
        entries.append({"text": text, "ids": ids, "length": len(tokenizer(text).input_ids)})
    return entries
