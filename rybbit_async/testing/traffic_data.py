"""What generated traffic is made of: pages, places, devices, origins, goals."""

# ruff: noqa: RUF001 - titles in many scripts.

from __future__ import annotations

from typing import Any

__all__ = [
    "ANY_PAGE",
    "DEVICES",
    "EVENT_NAMES",
    "GOALS",
    "NOWHERE",
    "ORIGINS",
    "PAGES",
    "PLACES",
]

# (path, title). The titles are in many scripts, and some look like numbers.
PAGES = (
    ("/", "Home"),
    ("/pricing", "Pricing"),
    ("/product/atlas", "Atlas — the map of your data"),
    ("/product/borealis", "Βόρεια: ανάλυση για όλους"),
    ("/product/cedar", "الأرز: تحليلات بسيطة"),
    ("/blog", "Blog"),
    ("/blog/launch", "发布公告：新版本上线"),
    ("/blog/privacy", "गोपनीयता पहले"),
    ("/blog/2026/spring", "Весеннее обновление"),
    ("/blog/2026/summer", "夏のアップデート 🌻"),
    ("/docs", "Documentation"),
    ("/docs/install", "התקנה"),
    ("/docs/api/goals", "Ziele & Zählungen"),
    ("/docs/api/goals/list", "목표 목록 조회"),
    ("/404", "404"),
    ("/neg", "-7"),
    ("/sale", "00123"),
    ("/checkout", "Checkout"),
    ("/checkout/complete", "Thank you 🎉"),
    ("/about", "เกี่ยวกับเรา"),
)
# (country, region, city, language, time zone, latitude, longitude). An unknown country is two
# NULs, and one city has a number for its name.
PLACES = (
    ("US", "US-CA", "San Francisco", "en-US", "America/Los_Angeles", 37.77, -122.42),
    ("US", "US-NY", "New York", "en-US", "America/New_York", 40.71, -74.01),
    ("GB", "GB-ENG", "London", "en-GB", "Europe/London", 51.51, -0.13),
    ("DE", "DE-BE", "Berlin", "de-DE", "Europe/Berlin", 52.52, 13.4),
    ("GR", "GR-I", "Αθήνα", "el-GR", "Europe/Athens", 37.98, 23.73),
    ("IN", "IN-MH", "मुंबई", "hi-IN", "Asia/Kolkata", 19.08, 72.88),
    ("CN", "CN-SH", "上海", "zh-CN", "Asia/Shanghai", 31.23, 121.47),
    ("JP", "JP-13", "東京", "ja-JP", "Asia/Tokyo", 35.68, 139.69),
    ("EG", "EG-C", "القاهرة", "ar-EG", "Africa/Cairo", 30.04, 31.24),
    ("BR", "BR-SP", "São Paulo", "pt-BR", "America/Sao_Paulo", -23.55, -46.63),
    ("AU", "AU-QLD", "1770", "en-AU", "Australia/Brisbane", -24.16, 151.88),
    ("\0\0", "", "", "", "UTC", 0.0, 0.0),
)
# (browser, version, system, version, device, width, height)
DEVICES = (
    ("Chrome", "120", "Windows", "10/11", "Desktop", 1920, 1080),
    ("Chrome", "121", "macOS", "10.15.7", "Desktop", 1440, 900),
    ("Safari", "17.4", "macOS", "14.0", "Desktop", 1512, 982),
    ("Mobile Safari", "17", "iOS", "17.4.1", "Mobile", 390, 844),
    ("Chrome Mobile", "120", "Android", "14", "Mobile", 412, 915),
    ("Firefox", "122", "Linux", "", "Desktop", 2560, 1440),
    ("Edge", "120.0", "Windows", "10/11", "Desktop", 1366, 768),
    ("Safari", "16.6", "iOS", "16", "Tablet", 820, 1180),
)
# (channel, referrer, source, medium, campaign, term, content). Some campaigns look like numbers.
ORIGINS = (
    ("Direct", "", "", "", "", "", ""),
    ("Direct", "", "", "", "", "", ""),
    ("Organic Search", "https://www.google.com/", "", "", "", "", ""),
    ("Organic Search", "https://duckduckgo.com/", "", "", "", "", ""),
    ("Referral", "https://news.example.org/item?id=1", "", "", "", "", ""),
    ("Organic Social", "https://www.reddit.com/r/analytics", "", "", "", "", ""),
    ("Paid Search", "https://www.google.com/", "google", "cpc", "0012", "web analytics", "a"),
    ("Paid Search", "https://www.bing.com/", "bing", "cpc", "1e5", "0x1F", "b"),
    ("Email", "", "newsletter", "email", "spring", "", "14.0"),
    ("Email", "", "newsletter", "email", "12345678901234567890", "NaN", "   "),
    ("Paid Social", "https://www.facebook.com/", "facebook", "paid", "Infinity", "", "10.15.7"),
)
NOWHERE = "/not/linked/anywhere"
GOALS: tuple[tuple[str | None, str, dict[str, Any]], ...] = (
    ("Pricing seen", "path", {"pathPattern": "/pricing"}),
    ("Any product", "path", {"pathPattern": "/product/*"}),
    ("Signed up", "event", {"eventName": "signup"}),
    (
        "Signed up for pro",
        "event",
        {"eventName": "signup", "eventPropertyKey": "plan", "eventPropertyValue": "pro"},
    ),
    ("Docs, any depth", "path", {"pathPattern": "/docs/**"}),
    ("Order complete", "path", {"pathPattern": "/checkout/complete"}),
    ("Purchase", "event", {"eventName": "purchase"}),
    ("Blog post", "path", {"pathPattern": "/blog/*"}),
    (None, "path", {"pathPattern": "/404"}),
    ("Never reached", "path", {"pathPattern": NOWHERE}),
    ("Newsletter 🗞️", "event", {"eventName": "newsletter"}),
    (
        "Bought five",
        "event",
        {"eventName": "purchase", "eventPropertyKey": "quantity", "eventPropertyValue": 5},
    ),
    ("κατάλογος", "path", {"pathPattern": "/product/borealis"}),
    (None, "event", {"eventName": "download"}),
)
EVENT_NAMES = ("signup", "newsletter", "download", "purchase")
ANY_PAGE: tuple[str | None, str, dict[str, Any]] = ("Any page", "path", {"pathPattern": "/**"})
