# ruff: noqa: E501
"""Contents as they are: what may stand in Markdown and HTML, files in parts, and all in a real browser."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from test_web_access import complaints
from test_web_pages import ATTACKS
from web_browser import WINDOWS, Visits, eventually, settled
from web_site import running

from activelab import InputError
from activelab.project import Settings
from activelab.web._bodies import Element
from activelab.web._markup import finish, highlighter, markup

MORE_ATTACKS = (
    "<img src=x onerror=alert(1)//>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<a href='java\nscript:alert(1)'>x</a><a href=' &#106;avascript:alert(1)'>y</a><a href='//evil.example'>z</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a><a href='http:evil' target=_self>y</a>",
    "<iframe src=javascript:alert(1)></iframe><object data=x></object><embed src=x><base href=//evil.example>",
    "<form action=//evil.example><input name=password><button formaction=javascript:alert(1)>x</button></form>",
    "<style>body{background:url(//evil.example)}</style><p style='position:fixed' id=main class=top>x</p>",
    "<meta http-equiv=refresh content='0;url=//evil.example'><link rel=stylesheet href=//evil.example>",
    "<img src='//evil.example/x.png'><img src='data:image/svg+xml,<svg onload=alert(1)>'><img src='/api/v1/me'>",
    "[x](javascript:alert(1)) [y](JaVaScRiPt&colon;alert(1)) ![z](http://evil.example/x.png) <javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x] ![x]\n\n[y](<javascript:alert(1)> 'x')",
    "`<script>` \\<script>alert(1)</script> &lt;script&gt;",
    "<td colspan=1000000><ol start=-1e9><li>x",
)  # fmt: skip


def outline(nodes) -> str:
    """A tree in one line."""
    parts = []
    for one in nodes:
        if isinstance(one, str):
            parts.append(one)
        else:
            given = "".join(f" {name}={value}" for name, value in one.attributes.items())
            parts.append(f"<{one.tag}{given}>{outline(one.children)}</{one.tag}>")
    return "".join(parts)


def elements(nodes):
    for one in nodes:
        if isinstance(one, Element):
            yield one
            yield from elements(one.children)


@pytest.mark.parametrize("format_", ["markdown", "html"])
@pytest.mark.parametrize("attack", ATTACKS + MORE_ATTACKS)
def test_only_what_is_allowed_comes_through(attack, format_):
    nodes, pictures = markup(f"before\n\n{attack}\n\nafter", format_)
    allowed = {
        "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "dd", "del", "div", "dl", "dt", "em",
        "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp",
        "small", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var",
    }  # fmt: skip
    spans = {"colspan", "rowspan"}
    kinds = {"a": {"href", "target", "rel"}, "img": {"src", "alt"}, "ol": {"start"}, "td": spans, "th": spans}
    for one in elements(nodes):
        assert one.tag in allowed
        assert set(one.attributes) <= kinds.get(one.tag, set())
        if one.tag == "a":
            assert one.attributes["href"].startswith(("http://", "https://", "mailto:"))
            assert (one.attributes["target"], "noopener" in one.attributes["rel"]) == ("_blank", True)
        if one.tag == "img":
            assert one.attributes["src"].isdigit()
        for name in spans | {"start"}:
            assert 0 <= int(one.attributes.get(name, 0)) < 1000
    assert all("evil" not in path and ":" not in path and path[:1] != "/" for path in pictures)
    assert outline(nodes).count("after") == 1 or "<!--" in attack or "noscript" in attack


@pytest.mark.parametrize(
    ("text", "format_", "shown"),
    [
        ("a <b>\n c", "plain", "a <b>\n c"),
        ("# A\n*b* **c**\nd <i>e</i>", "markdown",
         "<h3>A</h3>\n<p><em>b</em> <strong>c</strong><br></br>\nd <i>e</i></p>\n"),
        ("|a|\n|-|\n|1|", "markdown",
         "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>\n"),
        ("![A](x%20y.png)", "markdown", "<p><img src=0 alt=A></img></p>\n"),
        ("[x](mailto:a@b.c)", "markdown",
         "<p><a href=mailto:a@b.c target=_blank rel=noopener noreferrer nofollow>x</a></p>\n"),
        ("<section><h1>A</h1><p>b & c<td>d</section>", "html", "<div><h3>A</h3><p>b & cd</p></div>"),
        ("<table><tr><td colspan=2>a</table>", "html", "<table><tbody><tr><td colspan=2>a</td></tr></tbody></table>"),
        ("<pre>a\n  b</pre>", "html", "<pre>a\n  b</pre>"),
        ("<b>" * 3000 + "deep", "html", "<b>" * 40 + "deep" + "</b>" * 40),
        ("<b>" * 6000 + "made to be slow", "html", "<b>" * 6000 + "made to be slow"),
    ],
)  # fmt: skip
def test_what_texts_look_like(text, format_, shown):
    assert outline(markup(text, format_)[0]) == shown


@pytest.mark.parametrize(
    ("terms", "text", "marked"),
    [
        (("card",), "Card, cards, a CARD.", "[Card], cards, a [CARD]."),
        (("card*",), "discard cards", "discard [card]s"),
        (("*card*",), "discards", "dis[card]s"),
        (("credit card",), "Credit\n card", "[Credit\n card]"),
        (("cafe", "über"), "Café cafe\u0301, UBER", "[Café] [cafe\u0301], [UBER]"),
        (("straße",), "STRASSE", "[STRASSE]"),
        (("*退款*",), "我要退款。", "我要[退款]。"),
        (("a", "ab*"), "abc a", "[ab]c [a]"),
        (("a.c", "(x"), "abc a.c (x)", "abc [a.c] [(x])"),
    ],
)
def test_terms_are_marked(terms, text, marked):
    Settings(terms=terms)
    nodes = finish([text], str, highlighter(terms))
    assert outline(nodes).replace("<mark>", "[").replace("</mark>", "]") == marked


def test_terms_that_are_none():
    for term in ("*", "a*b", "--"):
        with pytest.raises(InputError, match="terms are words"):
            Settings(terms=(term,))


# ---------------------------------------------------------------- files


def sound(seconds: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 1, 8000, 0, "NONE", ""))
        out.writeframes(bytes(range(100, 156)) * int(seconds * 8000 / 56))
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "media"
    made.mkdir()
    (made / "call.wav").write_bytes(sound(12))
    (made / "broken.wav").write_bytes(b"RIFFxxxxWAVE" + bytes(500))
    (made / "text.mp4").write_bytes(b"no film")
    Image.fromarray(np.arange(48_000, dtype=np.uint8).reshape(200, 240)).resize((1600, 1000)).save(
        made / "scan.png"
    )
    Image.new("L", (300, 4000), 200).save(made / "strip.png")
    (made / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no image")
    return made


def test_files_come_in_parts(tmp_path, folder):
    contents = [{"audio": "call.wav"}, {"video": "text.mp4"}, {"text": "![A](scan.png) ![B](http://x/y.png)"}]
    with (
        running(
            tmp_path / "p.db",
            contents=contents,
            image_root=str(folder),
            text_format="markdown",
            guidelines="![C](strip.png) ![D](../p.db)",
        ) as site,
        site.browser("jude") as jude,
        site.browser("ann") as ann,
    ):
        data, address = (folder / "call.wav").read_bytes(), "/api/v1/media/0?part=audio"
        whole = jude.get(address)
        assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, data, "audio/wav")
        for wanted, first, last in [
            ("0-", 0, None),
            ("5-9", 5, 9),
            ("-7", len(data) - 7, None),
            ("9-9999999", 9, None),
        ]:
            reply = jude.get(address, headers={"Range": f"bytes={wanted}"})
            end = len(data) - 1 if last is None else last
            assert (reply.status_code, reply.content) == (206, data[first : end + 1])
            assert reply.headers["content-range"] == f"bytes {first}-{end}/{len(data)}"
        for wanted in ("bytes=9999999-", "bytes=5-2", "bytes=-", "bytes=0-1,4-5", "lines=1-2"):
            assert jude.get(address, headers={"Range": wanted}).status_code == 416
        assert jude.get("/api/v1/media/1?part=video").status_code == 415
        assert jude.get("/api/v1/media/2?part=inside&place=0").content == (folder / "scan.png").read_bytes()
        assert jude.get("/api/v1/media/2?part=inside&place=1").status_code == 404
        assert (
            ann.get("/api/v1/media/2?part=inside&place=0").status_code == 404
        )  # nobody has served it to her
        assert ann.get("/api/v1/guidelines/0").headers["content-type"] == "image/png"
        assert {ann.get(f"/api/v1/guidelines/{place}").status_code for place in (1, 2)} == {404}


# ---------------------------------------------------------------- in a browser


# A second of colours, as bytes of a file.
_FILM = """async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 160, height: 120 });
  const brush = canvas.getContext("2d");
  const timer = setInterval(() => {
    brush.fillStyle = `hsl(${performance.now() / 5} 80% 50%)`;
    brush.fillRect(0, 0, 160, 120);
  }, 40);
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: "video/webm" });
  const film = new Promise((resolve) => (recorder.ondataavailable = ({ data }) => resolve(data)));
  recorder.start();
  setTimeout(() => recorder.stop(), 1000);
  const bytes = new Uint8Array(await (await film).arrayBuffer());
  clearInterval(timer);
  return [...bytes];
}"""


@pytest.mark.slow
def test_a_film_and_a_long_recording_are_played_by_the_keys(tmp_path, folder, visit: Visits):
    (folder / "long.wav").write_bytes(sound(1800))
    contents = [{"video": "film.webm"}, {"audio": "long.wav"}]
    with running(tmp_path / "p.db", contents=contents, image_root=str(folder)) as site:
        (folder / "film.webm").write_bytes(bytes(visit(site, None, "/login").evaluate(_FILM)))
        page = visit(site, "ann", "/label")
        press, parts = page.keyboard.press, dict[str, int]()
        page.on("response", lambda one: parts.update({one.headers.get("content-range", ""): one.status}))

        def at(media: Any) -> float:
            return media.evaluate("(one) => one.currentTime")

        def film() -> None:
            media = page.locator("#example video")
            expect(media).to_have_js_property("videoWidth", 160)
            press("Shift+Space")
            expect(media).to_have_js_property("ended", True)
            assert at(media) > 0.5
            press("<")
            press("Shift+Home")
            press("Shift+Space")
            expect(media).to_have_js_property("ended", False)
            expect(media).to_have_js_property("paused", True)
            expect(media).to_have_js_property("playbackRate", 0.75)
            press("Shift+ArrowLeft")
            expect(media).to_have_js_property("currentTime", 0)
            press(">")

        def recording() -> None:
            media = page.locator("#example audio")
            expect(media).to_have_js_property("readyState", 4)
            media.evaluate("(one) => (one.currentTime = 1700)")
            eventually(lambda: any(one.startswith("bytes 13") and parts[one] == 206 for one in parts), page)
            press("Shift+ArrowRight")
            expect(media).to_have_js_property("currentTime", 1705)
            press("Shift+Space")
            eventually(lambda: at(media) > 1705, page)
            press("Shift+Space")
            expect(media).to_have_js_property("paused", True)

        for turn in range(2):
            expect(page.locator("#example figure.player")).to_be_visible()
            (film if page.locator("#example video").count() else recording)()
            press("1")
            expect(page.locator("#count")).to_have_text(f"{turn + 1} by you")
        expect(page.locator("#example")).to_contain_text("all of this round is labelled")


@pytest.mark.slow
def test_every_kind_of_content_is_shown_and_used(tmp_path, folder, visit: Visits):
    visit.expected = "415"
    chat = [
        {"role": "user", "content": "I want a **refund**."},
        {"role": "assistant", "content": "- call\n- wait"},
    ]
    contents = [
        {"image": "scan.png", "text": "Beside it", "product": "shop", "note": "refunding"},
        {"image": "strip.png"},
        {"image": "broken.jpg"},
        {"audio": "call.wav"},
        {"messages": chat},
        {"text": "\n\n".join(["Words of a long text. " * 30] * 30)},
        {"text": "|a|b|\n|-|-|\n|1|2|\n\n" + "\n\n".join(ATTACKS + MORE_ATTACKS)},
    ]  # fmt: skip
    with running(
        tmp_path / "p.db",
        contents=contents,
        image_root=str(folder),
        text_format="markdown",
        terms=("refund*",),
        guidelines="**Look twice.** [Rules](https://example.org) ![A strip](strip.png)",
        batch_size=100,
    ) as site:
        page = visit(site, "ann", "/label")
        press, box = page.keyboard.press, page.locator("#example")
        zoom, pane = box.locator(".tools output"), box.locator(".pane")
        place = "(pane) => [pane.scrollLeft, pane.scrollTop]"

        def scan() -> None:
            expect(box).to_contain_text("Beside it")
            expect(box.locator("mark")).to_have_text("refund")
            before = zoom.inner_text()
            pane.hover()
            page.mouse.wheel(0, -200)
            expect(zoom).not_to_have_text(before)
            pane.focus()
            press("Shift+1")
            expect(zoom).to_have_text("100 %")
            first = pane.evaluate(place)
            page.mouse.down()
            page.mouse.move(300, 200, steps=3)
            page.mouse.up()
            assert pane.evaluate(place) != first
            press("Shift+0")
            expect(zoom).to_have_text(before)
            box.get_by_text("Light").click()
            box.get_by_label("Brightness").fill("2")
            assert "brightness(2)" in pane.locator("img").get_attribute("style")
            box.get_by_role("button", name="Reset").click()
            press("+")

        def strip() -> None:
            expect(zoom).to_have_text("100 %")  # as wide as it is, not as high as the box
            assert pane.evaluate("(pane) => pane.scrollHeight - pane.clientHeight") > 1000

        def broken() -> None:
            expect(box).to_contain_text("cannot be shown: the file is no PNG")
            expect(page.locator("#classes button").first).to_be_disabled()
            press("1")
            press("c")
            expect(box).to_contain_text("cannot be shown")
            assert page.locator("#unsent").inner_text() == ""

        def call() -> None:
            audio = box.locator("audio")
            expect(audio).to_have_js_property("readyState", 4)
            press("Shift+ArrowRight")
            press("Shift+ArrowRight")
            expect(audio).to_have_js_property("currentTime", 10)
            assert audio.evaluate("(one) => one.paused")
            press(">")
            press("Shift+Home")
            expect(audio).to_have_js_property("paused", False)
            expect(audio).to_have_js_property("playbackRate", 1.25)

        def turns() -> None:
            said = box.locator(".turn")
            expect(said).to_have_count(2)
            expect(said.first.locator("strong mark")).to_have_text("refund")
            expect(said.last.locator("li")).to_have_count(2)

        def long() -> None:
            read = page.locator("#read")
            expect(read).to_have_attribute("aria-valuenow", "0")
            press("PageDown")
            height = box.evaluate("(one) => one.clientHeight")
            eventually(lambda: 0 < box.evaluate("(one) => one.scrollTop") < height, page)
            press("End")
            expect(read).to_have_attribute("aria-valuenow", "100")
            page.get_by_role("button", name="Larger text").click()
            assert box.locator(".text").evaluate("(one) => parseFloat(getComputedStyle(one).fontSize)") > 20
            size = page.viewport_size
            page.set_viewport_size({"width": 640, "height": 400})
            width = "(one) => one.offsetWidth"
            left, beside = (page.locator(one).evaluate(width) for one in ("#example", ".answers"))
            assert abs(left - beside) < 2
            assert left > 280
            page.set_viewport_size(size)

        def table() -> None:
            expect(box.locator("td")).to_have_text(["1", "2"])
            assert box.locator("script, iframe, [onerror], [style], a[href^=javascript], form").count() == 0

        looks = {
            "Beside": scan,
            "strip": strip,
            "broken": broken,
            "call": call,
            "turns": turns,
            "long": long,
            "table": table,
        }
        left = set(looks)
        for _ in contents:
            expect(box).to_have_attribute("aria-busy", "false")
            what = page.evaluate("""() => {
              const has = (one) => document.querySelector(`#example ${one}`);
              if (has(".broken")) return "broken";
              if (has("audio")) return "call";
              if (has(".turns")) return "turns";
              if (has("td:nth-child(2) ~ *, .rich table")) return "table";
              if (has(".fields")) return "Beside";
              return has(".pane") ? "strip" : "long";
            }""")
            looks[what]()
            left.remove(what)
            press("s") if what == "broken" else press("2")
            if what == "broken":
                press("1")
        assert not left
        assert page.evaluate("window.hit") is None
        press("g")
        rules = page.get_by_role("link", name="Rules")
        expect(rules).to_have_attribute("target", "_blank")
        expect(page.get_by_alt_text("A strip")).to_have_js_property("naturalWidth", 300)
        eventually(lambda: len(site.project.labels().label) == 6, page)

        # The same on the pages of those who lead, and by two fingers.
        phone = visit(site, "jude", "/example/0", **WINDOWS["phone"])
        expect(phone.locator("#content .tools output")).not_to_have_text("")
        assert complaints(phone) == []
        before = phone.locator("#content .tools output").inner_text()
        touch = phone.context.new_cdp_session(phone)
        area = phone.locator("#content .pane").bounding_box()
        middle = (area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
        for kind, apart in [("touchStart", 20), ("touchMove", 40), ("touchMove", 80)]:
            points = [
                {"x": middle[0] + by, "y": middle[1], "id": at} for at, by in enumerate((-apart, apart))
            ]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(phone.locator("#content .tools output")).not_to_have_text(before)
        phone.goto("/example/4")
        expect(settled(phone).locator("#content .turn")).to_have_count(2)
        assert complaints(phone) == []
