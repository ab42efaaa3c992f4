"""The operator panel: what one sees of the depot, how it reaches browsers, and the pages themselves.

Way in: `view.view(report)` turns a control cycle's report into a `PanelView`; `feed.PanelFeed.publish` sends it to
everybody who watches; `server.create_app` and `server.PanelServer` serve it.
"""
