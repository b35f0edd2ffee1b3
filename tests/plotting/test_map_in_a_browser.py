"""The page of a map as people meet it, in headless Chromium."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from wordgrad.plotting import loss_curve, make_map, save_losses
from wordgrad.plotting.picture import visible
from wordgrad.word_vectors import WordVectors

webdriver = pytest.importorskip("selenium.webdriver", reason="Selenium is not installed")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1200,800",
)  # fmt: skip
WORD_AT = """
const word = arguments[0], data = JSON.parse(document.getElementById("data").textContent);
const plot = Bokeh.documents[0].get_model_by_name("map"), i = data.words.indexOf(word);
const box = document.getElementById("figure").getBoundingClientRect();
const {x_range: xs, y_range: ys} = plot;
return [box.left + (data.x[i] - xs.start) / (xs.end - xs.start) * plot.inner_width,
        box.top + (ys.end - data.y[i]) / (ys.end - ys.start) * plot.inner_height];
"""
LONELIEST = """
const data = JSON.parse(document.getElementById("data").textContent);
const places = data.x.map((x, i) => [x, data.y[i]]);
const gaps = places.map((one) => Math.min(...places.filter((other) => other !== one)
  .map((other) => Math.hypot(one[0] - other[0], one[1] - other[1]))));
return data.words[gaps.indexOf(Math.max(...gaps))];
"""
LIT = "return [...Bokeh.documents[0].get_model_by_name('lit_labels').data.text]"
RANGE = (
    "const p = Bokeh.documents[0].get_model_by_name('map'); return [p.x_range.start, p.x_range.end]"
)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    browser = next((path for path in map(shutil.which, BROWSERS) if path), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("Chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, crowd):
    folder = tmp_path_factory.mktemp("pages")
    make_map(crowd, most_frequent_words=60).save(folder / "map.html")
    history = [{"loss": 2.0, "learning_rate": 0.1, "words": 9, "seconds": 1.0}] * 3
    trained = WordVectors(["a"], [[1.0]], metadata={"history": history})
    curves = [loss_curve(trained, name) for name in ("$$x^2$$", "<b>two</b>")]
    save_losses(curves, folder / "loss.html")
    return folder


class Page:
    """One page in the browser, and what its reader does."""

    def __init__(self, driver, path, width=1200, height=800, scheme="light", word=""):
        self.driver = driver
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        scheme = [{"name": "prefers-color-scheme", "value": scheme}]
        calm = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme + calm})
        driver.get("about:blank")
        driver.get_log("browser"), driver.get_log("performance")  # forget other pages
        driver.get(f"{path.as_uri()}{word}")
        self.until("return document.documentElement.dataset.ready === 'true'")

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, script):
        WebDriverWait(self.driver, 20, 0.05).until(lambda driver: driver.execute_script(script))

    def settled(self, script, *arguments):
        """What ``script`` returns once it returns the same twice: the layout may still move."""
        found = [None]

        def again(driver):
            found.append(driver.execute_script(script, *arguments))
            return found[-1] == found[-2]

        WebDriverWait(self.driver, 20, 0.1).until(again)
        return found[-1]

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        return [found.text for found in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def point(self, word, *, click):
        x, y = self.settled(WORD_AT, word)
        actions = ActionChains(self.driver)
        actions.w3c_actions.pointer_action.move_to_location(round(x), round(y))
        if click:
            actions.click()
        actions.perform()

    def neighbours(self):
        words, cosines = self.texts("#neighbours .word"), self.texts("#neighbours .cosine")
        return list(zip(words, map(float, cosines), strict=True))

    def complaints(self):
        return [entry for entry in self.driver.get_log("browser") if entry["level"] != "INFO"]

    def requests(self):
        events = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        sent = [e["params"]["request"]["url"] for e in events if e["method"].endswith("BeSent")]
        return [url for url in sent if not url.startswith(("data:", "blob:", "about:"))]


@pytest.fixture
def page(chromium, folder):
    def opened(name="map.html", **settings):
        return Page(chromium, folder / name, **settings)

    return opened


def _expected(crowd, word, **settings):
    found = crowd.most_similar(word, 10, **settings)
    return [(visible(near), pytest.approx(cosine, abs=6e-4)) for near, cosine in found]


def test_a_word_is_found_by_typing_and_its_neighbours_light_up(page, crowd):
    opened = page()
    opened.find("#query").send_keys("word5")
    assert opened.texts("#suggestions li")[:2] == ["word50", "word51"]
    opened.press("2", Keys.ENTER)
    assert opened.find("#word").text == "word52"
    assert opened.find("#facts").text == "Rank 53, seen 280 times"
    assert opened.neighbours() == _expected(crowd, "word52", restrict_vocab=60)
    names = {near for near, _ in opened.neighbours()}
    assert {"word52"} < set(opened.run(LIT)) <= {"word52"} | names
    assert len(opened.run(LIT)) == 11
    assert not opened.complaints()


def test_a_click_on_the_map_chooses_the_word_under_it(page, crowd):
    opened = page()
    lonely = opened.run(LONELIEST)  # so that no other word is nearer to a rounded place
    opened.point(lonely, click=True)
    opened.until("return !document.getElementById('chosen').hidden")
    assert opened.find("#word").text == visible(lonely)
    assert opened.neighbours() == _expected(crowd, lonely, restrict_vocab=60)
    opened.find("#neighbours button").click()
    assert opened.find("#word").text == visible(
        crowd.most_similar(lonely, 1, restrict_vocab=60)[0][0]
    )
    opened.find("#clear").click()
    assert not opened.find("#chosen").is_displayed()
    assert opened.run(LIT) == []


def test_neighbours_among_all_words_can_be_shown(page, crowd):
    opened = page(word="#word40")
    opened.find("[data-among=inAll]").click()
    assert opened.find("[data-among=inAll]").text == "Among all 80"
    expected = _expected(crowd, "word40")
    assert opened.neighbours() == expected
    elsewhere = [word for word, _ in expected if crowd.rank(word) >= 60]
    assert opened.texts("#neighbours span.row .word") == elsewhere
    assert elsewhere


def test_pointing_at_a_word_names_it(page):
    opened = page()
    opened.point("word33", click=False)
    opened.until("return !document.getElementById('tip').hidden")
    assert opened.texts("#tip b") == ["word33"]


def test_nothing_is_requested_and_nothing_complained_about(page, crowd):
    opened = page()
    for word in crowd.words[:6]:
        opened.run("location.hash = ''")
        opened.find("#query").clear()
        opened.find("#query").send_keys(word.strip() or "word7", Keys.ENTER)
    opened.find("[data-zoom=in]").click()
    time.sleep(0.3)  # a request would need a moment to be sent
    assert [url.rpartition("/")[2] for url in opened.requests()] == ["map.html"]
    assert not opened.complaints()


def test_a_word_of_markup_is_text_everywhere(page, crowd):
    bad = crowd.words[0]
    opened = page()
    before = opened.run("return document.querySelectorAll('script').length")
    opened.find("#query").send_keys("</scr")
    assert opened.texts("#suggestions li") == [bad]
    opened.press(Keys.ENTER)
    assert opened.find("#word").text == bad
    assert bad in opened.run(LIT)
    opened.point(bad, click=False)
    opened.until("return !document.getElementById('tip').hidden")
    assert opened.run("return document.querySelectorAll('script').length") == before


def test_a_word_that_is_not_there_is_said_to_be_missing(page):
    opened = page()
    opened.find("#query").send_keys("xyzzy")
    assert opened.texts("#suggestions li") == ["No such word on this map"]
    opened.press(Keys.ENTER)
    assert not opened.find("#chosen").is_displayed()


def test_keys_do_what_a_mouse_does(page):
    opened = page()
    start, end = opened.run(RANGE)
    opened.press("+")
    near, far = opened.run(RANGE)
    assert far - near == pytest.approx((end - start) / 1.6)
    opened.press(Keys.ARROW_RIGHT)
    assert opened.run(RANGE)[0] > near
    opened.press("0")
    assert opened.run(RANGE) == pytest.approx([start, end])
    opened.press("/")
    opened.press("word1", Keys.ARROW_DOWN, Keys.ENTER)
    assert opened.find("#word").text == "word11"
    opened.press(Keys.ESCAPE)
    assert not opened.find("#chosen").is_displayed()


def test_the_map_is_dragged_and_zoomed(page):
    opened = page()
    start, end = opened.run(RANGE)
    stage = opened.find("#stage")
    drag = ActionChains(opened.driver).move_to_element(stage).click_and_hold()
    drag.move_by_offset(100, 0).move_by_offset(20, 0).release().perform()
    assert opened.run(RANGE)[0] < start - 0.05 * (end - start)
    assert not opened.find("#chosen").is_displayed()
    wheel = ActionChains(opened.driver).scroll_from_origin(
        ScrollOrigin.from_element(stage), 0, -300
    )
    wheel.perform()
    opened.until(
        f"{RANGE.replace('return', 'const r =')}; return r[1] - r[0] < {(end - start) * 0.95}"
    )


def test_a_group_is_lit_from_the_legend(page):
    opened = page()
    opened.find("#groups button").click()
    alphas = opened.run("return [...Bokeh.documents[0].get_model_by_name('dots').data.alpha]")
    assert set(alphas) == {0.8, 0.12}
    opened.find("#groups button").click()
    alphas = opened.run("return [...Bokeh.documents[0].get_model_by_name('dots').data.alpha]")
    assert set(alphas) == {0.8}


def test_a_narrow_screen_shows_the_panel_below_the_map(page):
    opened = page(width=400, height=800, word="#word20")
    assert opened.run("return document.documentElement.scrollWidth") <= 400
    stage, panel = opened.find("#stage").rect, opened.find("aside").rect
    assert stage["height"] > 250
    assert panel["y"] >= stage["y"] + stage["height"] - 1
    assert len(opened.neighbours()) == 10
    assert set(opened.run(LIT)) >= {"word20"}


def test_light_and_dark_follow_the_system_and_the_button(page):
    paper = "return getComputedStyle(document.body).backgroundColor"
    ink = "return Bokeh.documents[0].get_model_by_name('labels').data.color[0]"
    light, dark = "rgb(251, 250, 248)", "rgb(20, 22, 27)"
    assert page().run(paper) == light
    opened = page(scheme="dark")
    assert opened.run(paper) == dark
    assert opened.run(ink) == "#e9e8e4"
    opened.find("#theme").click()
    assert opened.run(paper) == light
    assert opened.run(ink) == "#1d1f24"


def test_the_window_may_change_its_size(page):
    opened = page()
    opened.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 900, "height": 700, "deviceScaleFactor": 1, "mobile": False},
    )
    scale = """
    const p = Bokeh.documents[0].get_model_by_name("map");
    const across = (p.x_range.end - p.x_range.start) / p.inner_width;
    const down = (p.y_range.end - p.y_range.start) / p.inner_height;
    return p.inner_width < 700 && Math.abs(across / down - 1) < 1e-6;
    """
    opened.until(scale)


def test_the_page_of_losses_shows_and_hides_trainings(page):
    opened = page("loss.html")
    assert opened.texts("#names li") == ["$$x^2$$", "<b>two</b>"]
    visible = """return Bokeh.documents[0].roots()[0].children.flatMap((panel) =>
        panel.renderers.map((renderer) => renderer.visible))"""
    assert opened.run(visible) == [True] * 8
    opened.find("#names button").click()
    assert sorted(opened.run(visible)) == [False] * 4 + [True] * 4
    time.sleep(0.3)  # a request would need a moment to be sent
    assert [url.rpartition("/")[2] for url in opened.requests()] == ["loss.html"]
    assert not opened.complaints()
