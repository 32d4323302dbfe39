def rivals_markdown(settings, baseline="activelab"):
    return ""
